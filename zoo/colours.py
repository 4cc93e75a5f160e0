"""Drawings in one pure colour with a disc in another: what photos hold too little of, and logos and charts much.

python -m zoo.colours FOLDER COUNT    so many, of 512 x 512 pixels, to train on beside photos

A network that has seen photos alone was up to 16 levels of 255 off in a plain of pure green.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINER = 512, 4
COLOURS = np.array(list(itertools.product((0, 128, 255), repeat=3)), np.uint8)
"""The corners of the cube of colours, and what lies half way between them."""


def drawing(number: int) -> Image.Image:
    """The colours in turn, each under a disc that the number alone decides, its rim smooth."""
    rng = np.random.default_rng(number)
    ground, ink = COLOURS[number % len(COLOURS)], COLOURS[rng.integers(len(COLOURS))]
    mask = Image.new("L", (SIDE * FINER, SIDE * FINER))
    radius, (x, y) = rng.uniform(20, 90), rng.uniform(0, SIDE, 2)
    box = [FINER * (place + side * radius) for side in (-1, 1) for place in (x, y)]
    ImageDraw.Draw(mask).ellipse(box, 255)
    share = np.asarray(mask.reduce(FINER), np.float32)[..., None] / 255
    return Image.fromarray(np.rint(ground + share * (ink.astype(np.float32) - ground)).astype(np.uint8))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m zoo.colours FOLDER COUNT")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(int(sys.argv[2])):
        drawing(number).save(folder / f"colour{number:03d}.png")

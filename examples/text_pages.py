"""Draws pages of printed text: a domain of its own to fine-tune on (docs/how-to/fine-tune.md).

python examples/text_pages.py FOLDER [PAGES] [SEED]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?()&%-"
SIDE = 512


def page(rng: np.random.Generator) -> Image.Image:
    """Lines of random words in one size, dark on light or light on dark."""
    paper, ink = sorted(rng.integers([0, 190], [70, 256], size=2))
    if rng.random() < 0.7:
        paper, ink = ink, paper
    image = Image.new("RGB", (SIDE, SIDE), (int(paper),) * 3)
    pen = ImageDraw.Draw(image)
    size = float(rng.uniform(11, 30))
    font = ImageFont.load_default(size)
    y = float(rng.uniform(0, size))
    while y < SIDE:
        words = ("".join(rng.choice(list(LETTERS), rng.integers(1, 10))) for _ in range(40))
        pen.text((float(rng.uniform(-4, 12)), y), " ".join(words), font=font, fill=(int(ink),) * 3)
        y += size * 1.35
    return image


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    pages, seed = (int(a) for a in [*sys.argv[2:4], *["24", "0"][len(sys.argv) - 2 :]])
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(pages):
        page(np.random.default_rng([seed, k])).save(folder / f"{k:03d}.png")

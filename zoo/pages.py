"""Pages of text, drawn: black on white, dark on paper, light on dark, in the typefaces that come with Matplotlib.

    python -m zoo.pages FOLDER        writes four, of 512 x 512 pixels
    subpixel bench real --data FOLDER --scale 2

The words are random letters, so that nothing of them can have been learnt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE, MARGIN = 512, 12
STYLES = (
    ("DejaVuSerif", 18, (0, 0, 0), (255, 255, 255)),
    ("DejaVuSans", 16, (40, 40, 40), (250, 248, 240)),
    ("DejaVuSansMono", 15, (220, 220, 220), (30, 30, 40)),
    ("STIXGeneralItalic", 22, (20, 20, 90), (255, 255, 255)),
)
"""Typeface, height in pixels, colour of the letters and of the paper."""
_LETTERS = np.array(list("eeeeaaaiioourrtttnnnsssllcdhmpgbfvkwyzxjqEATNSOIRMH0123456789.,;:!?()-"))


def text_page(
    typeface: str, height: int, ink: tuple[int, int, int], paper: tuple[int, int, int], seed: int
) -> Image.Image:
    """A page full of words in one style."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (SIDE, SIDE), paper)
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{typeface}.ttf")), height)
    for top in range(MARGIN, SIDE - MARGIN - height, height * 3 // 2):
        line = ""
        while draw.textlength(line, font) < SIDE - 2 * MARGIN - 4 * height:
            line += "".join(rng.choice(_LETTERS, rng.integers(2, 9))) + " "
        draw.text((MARGIN, top), line, ink, font)
    return image


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m zoo.pages FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, style in enumerate(STYLES):
        text_page(*style, seed=number).save(folder / f"{number}.png")

"""Pages of text in the typefaces that come with Matplotlib; the words are random letters, which no one can learn.

python -m zoo.pages FOLDER           four, of 512 x 512 pixels, each in one style
python -m zoo.pages FOLDER COUNT     so many to train on, in random sizes, colours and typefaces
subpixel bench real --data FOLDER --scale 2
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

SIDE, MARGIN = 512, 12
STYLES = (
    ("DejaVuSerif", 18, (0, 0, 0), (255, 255, 255)),
    ("DejaVuSans", 16, (40, 40, 40), (250, 248, 240)),
    ("DejaVuSansMono", 15, (220, 220, 220), (30, 30, 40)),
    ("STIXGeneralItalic", 22, (20, 20, 90), (255, 255, 255)),
)
"""Typeface, height in pixels, colour of the letters and of the paper."""
_TYPEFACES = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"),
    *("cmr10", "cmb10", "cmss10", "cmtt10"),
)
_LETTERS = np.array(list("eeeeaaaiioourrtttnnnsssllcdhmpgbfvkwyzxjqEATNSOIRMH0123456789.,;:!?()-"))


def text_page(typeface: str, height: int, ink: Colour, paper: Colour, seed: int) -> Image.Image:
    """A page full of words in one style."""
    image = Image.new("RGB", (SIDE, SIDE), paper)
    _write(image, typeface, height, ink, np.random.default_rng(seed), MARGIN, SIDE - MARGIN)
    return image


def random_page(seed: int) -> Image.Image:
    """A page of paragraphs, each in a typeface and a size of its own, dark on light or light on dark."""
    rng = np.random.default_rng(seed)
    ink, paper = rng.integers(0, 70, 3), rng.integers(190, 256, 3)
    if rng.random() < 0.4:
        ink, paper = np.zeros(3), np.full(3, 255)
    if rng.random() < 0.2:
        ink, paper = paper, ink
    image = Image.new("RGB", (SIDE, SIDE), _colour(paper))
    top = 4
    while top < SIDE - 40:
        height = int(rng.integers(10, 30))
        bottom = min(top + height * int(rng.integers(2, 9)), SIDE - 4)
        _write(image, str(rng.choice(_TYPEFACES)), height, _colour(ink), rng, top, bottom)
        top = bottom + 4
        if rng.random() < 0.3:
            ImageDraw.Draw(image).line((MARGIN, top, SIDE - MARGIN, top), _colour(ink), int(rng.integers(1, 3)))
            top += 6
    return image


def _colour(levels: np.ndarray) -> Colour:
    red, green, blue = (int(level) for level in levels)
    return red, green, blue


def _write(
    image: Image.Image, typeface: str, height: int, ink: Colour, rng: np.random.Generator, top: int, bottom: int
) -> None:
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{typeface}.ttf")), height)
    for y in range(top, bottom - height, height * 3 // 2):
        line = ""
        while draw.textlength(line, font) < SIDE - 2 * MARGIN - 4 * height:
            line += "".join(rng.choice(_LETTERS, rng.integers(2, 9))) + " "
        draw.text((MARGIN, y), line, ink, font)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python -m zoo.pages FOLDER [COUNT]")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) == 3:
        for number in range(int(sys.argv[2])):
            random_page(number).save(folder / f"page{number:03d}.png")
    else:
        for number, style in enumerate(STYLES):
            text_page(*style, seed=number).save(folder / f"{number}.png")

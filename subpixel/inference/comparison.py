"""An image of what the models bring: one detail of a photo, enlarged in several ways, side by side."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from subpixel import color
from subpixel.errors import BadRequest, printable
from subpixel.images import Floats, Image, dequantise, quantise
from subpixel.images.profiles import fitted
from subpixel.inference.choice import AUTO
from subpixel.inference.rows import ArrayRows
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.protocol import STANDARD, modcrop
from subpixel.metrics.psnr import psnr
from subpixel.resample import rescale, resize

_BACK, _TEXT, _DIM, _MARK = "#15171c", "#f2f3f5", "#9aa0ab", "#ff9f1c"
_PANEL, _MARGIN, _CAPTION, _ASIDE = 384, 28, 64, 420  # pixels of the drawing; _ASIDE: the widest whole photo
_DETAIL = 128
"""Side of the default detail in pixels of the result, at most."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Box:
        """Reads "X,Y,WIDTH,HEIGHT"; raises BadRequest."""
        match = re.fullmatch(r"(\d{1,7}),(\d{1,7}),([1-9]\d{0,6}),([1-9]\d{0,6})", text.replace(" ", ""))
        if match is None:
            raise BadRequest(f"crop {text!r}; expected X,Y,WIDTH,HEIGHT in pixels such as 120,80,64,64")
        return cls(*map(int, match.groups()))

    def times(self, scale: float) -> Box:
        """The same place in an image that is `scale` times as large, at least one pixel."""
        x, y = round(self.x * scale), round(self.y * scale)
        right, bottom = round((self.x + self.width) * scale), round((self.y + self.height) * scale)
        return Box(x, y, max(1, right - x), max(1, bottom - y))

    def cut(self, pixels: Floats) -> Floats:
        """The part of H W C."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True)
class _Panel:
    name: str
    detail: Floats  # H W C
    score: float | None = None
    reason: str = ""

    @property
    def below(self) -> str:
        return self.reason if self.score is None else f"PSNR {self.score:.2f} dB"


def compare(
    image: Image,
    models: Sequence[str],
    *,
    scale: int = 2,
    crop: Box | None = None,
    reduce: bool = False,
    title: str = "",
) -> Image:
    """The photo with a detail marked, and the detail of the input, of bicubic and of each model.

    crop: the detail in the photo's pixels; by default where most happens. reduce: first shrink the photo by
    `scale` (MATLAB's bicubic, 8 bit), so that the original is known, is shown last, and every panel has its
    PSNR under the field's protocol. Alpha is ignored.
    Raises: BadRequest for a crop outside the photo, or a photo smaller than the scale; as `Upscaler` does.
    """
    pixels = modcrop(image.pixels, scale) if reduce else image.pixels
    low = dequantise(rescale(quantise(pixels, 8), 1 / scale)) if reduce else pixels
    box = crop and _inside(crop, pixels).times(1 / scale if reduce else 1)
    box = box or detailed(low, min(_DETAIL // scale, *low.shape[:2]))
    near = resize(low, low.shape[0] * scale, low.shape[1] * scale, "nearest") if reduce else None
    panels = [_Panel("input", box.cut(low), None if near is None else _score(near, pixels, scale))]
    panels += [_enlarged(name, low, box, scale, pixels if reduce else None) for name in ("bicubic", *models)]
    if reduce:
        panels.append(_Panel("original", box.times(scale).cut(pixels)))
    what = f"reduced and enlarged {scale}x again" if reduce else f"enlarged {scale}x"
    mark = box.times(scale) if reduce else box
    about = f"{pixels.shape[1]} x {pixels.shape[0]}, {what}"
    drawn = _draw(pixels, mark, panels, (title, about), scale)
    icc = image.metadata.icc and fitted(image.metadata.icc, gray=False)  # what is drawn is RGB
    return Image.from_array(drawn, replace(image.metadata, icc=icc, exif=None, xmp=None, iptc=None, dpi=None))


def detailed(pixels: Floats, side: int) -> Box:
    """The square of `side` pixels in which H W C changes most: the largest sum of differences between neighbours."""
    luma = color.luma(pixels) if pixels.shape[2] == 3 else pixels[..., 0]
    change = np.zeros(luma.shape)
    change[:, 1:] += np.abs(np.diff(luma, axis=1))
    change[1:] += np.abs(np.diff(luma, axis=0))
    total = np.pad(change.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    y, x = np.unravel_index(np.argmax(sums), sums.shape)
    return Box(int(x), int(y), side, side)


def _inside(crop: Box, pixels: Floats) -> Box:
    height, width = pixels.shape[:2]
    if crop.x + crop.width > width or crop.y + crop.height > height:
        text = f"{crop.x},{crop.y},{crop.width},{crop.height}"
        raise BadRequest(f"crop {text} leaves the photo of {width} x {height} pixels")
    return crop


def _enlarged(name: str, low: Floats, box: Box, scale: int, original: Floats | None) -> _Panel:
    """A model's detail; only the rows around it are computed, unless all of them are to be scored."""
    large = box.times(scale)
    with Upscaler(name, scale=scale) as upscaler:
        source = ArrayRows.of(Image(low))
        plan = upscaler.plan(source, deep=False)  # shown with 8 bits
        rows = plan.rows(source)
        top, bottom = (large.y, large.y + large.height) if original is None else (0, rows.shape.height)
        result = rows.rows(top, bottom)
    label = Path(name).stem if name.endswith(".onnx") else name
    label = f"auto: {plan.networks}" if name == AUTO else label
    score = None if original is None else _score(result, original, scale)
    return _Panel(label, replace(large, y=large.y - top).cut(result), score, plan.reason)


def _score(result: Floats, original: Floats, scale: int) -> float:
    return psnr(*STANDARD.prepare(result, original, scale))


def _draw(image: Floats, mark: Box, panels: list[_Panel], title: tuple[str, str], scale: int) -> NDArray[Any]:
    """The whole photo at the left, the panels in a grid of up to three columns beside it."""
    columns = len(panels) if len(panels) <= 3 else 2 if len(panels) == 4 else 3
    lines = -(-len(panels) // columns)
    wide, tall = _zoomed(*(n * scale for n in panels[0].detail.shape[:2]))
    grid = lines * (tall + _CAPTION) + (lines - 1) * _MARGIN
    aside, high = _fitted(image, _ASIDE if lines == 1 else _ASIDE * 3 // 2, grid - _CAPTION)
    left = aside + 2 * _MARGIN
    canvas = Pillow.new("RGB", (left + columns * (wide + _MARGIN), grid + 2 * _MARGIN), _BACK)
    ink = ImageDraw.Draw(canvas)
    top = _MARGIN + (grid - _CAPTION - high) // 2
    canvas.paste(_scaled(image, aside, high, "bicubic"), (_MARGIN, top))
    _mark(ink, mark, aside / image.shape[1], (_MARGIN, top))
    _label(ink, (_MARGIN, top + high), aside, *title)
    for i, panel in enumerate(panels):
        x = left + i % columns * (wide + _MARGIN)
        y = _MARGIN + i // columns * (tall + _CAPTION + _MARGIN)
        canvas.paste(_scaled(panel.detail, wide, tall, "nearest"), (x, y))
        ink.rectangle((x - 2, y - 2, x + wide + 1, y + tall + 1), outline=_MARK, width=2)
        _label(ink, (x, y + tall), wide, panel.name, panel.below)
    return np.asarray(canvas)


def _zoomed(height: int, width: int) -> tuple[int, int]:
    """Width and height of a panel: a whole multiple of the detail, for pixels of equal size."""
    ratio = _PANEL / max(height, width)
    ratio = int(ratio) if ratio > 1 else ratio
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def _fitted(pixels: Floats, wide: int, tall: int) -> tuple[int, int]:
    """The largest size of the image's shape inside wide x tall."""
    height, width = pixels.shape[:2]
    ratio = min(wide / width, tall / height)
    return max(1, round(width * ratio)), max(1, round(height * ratio))


def _scaled(pixels: Floats, width: int, height: int, kernel: str) -> Pillow.Image:
    levels = quantise(resize(pixels, height, width, kernel), 8)
    return Pillow.fromarray(np.ascontiguousarray(np.broadcast_to(levels, (height, width, 3))))


def _mark(ink: ImageDraw.ImageDraw, box: Box, ratio: float, origin: tuple[int, int]) -> None:
    x, y = origin[0] + box.x * ratio, origin[1] + box.y * ratio
    right, bottom = x + max(8, box.width * ratio), y + max(8, box.height * ratio)
    ink.rectangle((x - 1, y - 1, right + 1, bottom + 1), outline="black", width=5)
    ink.rectangle((x, y, right, bottom), outline=_MARK, width=3)


def _label(ink: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, name: str, below: str) -> None:
    for text, size, fill, down in ((name, 22, _TEXT, 8), (below, 17, _DIM, 36)):
        font = ImageFont.load_default(size)
        text = _drawable(text, font)
        while text and ink.textlength(text, font) > width:
            text = text.removesuffix("...")[:-1] + "..." if len(text) > 4 else ""
        ink.text((corner[0], corner[1] + down), text, fill=fill, font=font)


def _drawable(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """What a font can draw of a text: for other letters the one without its accent, or a question mark."""

    def shape(character: str) -> tuple[tuple[int, int], bytes]:
        mask: Any = font.getmask(character)
        return mask.size, bytes(mask)

    missing, letters = shape("\uffff"), unicodedata.normalize("NFC", printable(text))
    spelled = ((each, unicodedata.normalize("NFKD", each)[0], "?") for each in letters)
    return "".join(next(each for each in ways if shape(each) != missing) for ways in spelled)

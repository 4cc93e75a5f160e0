"""What is wrong with training data, told before a training starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subpixel.datasets.files import ImageFile
from subpixel.datasets.layouts import Layout, layout, matched, size_mismatch
from subpixel.datasets.packed import Pixels
from subpixel.errors import UnreadableImage

Size = tuple[int, int]


@dataclass(frozen=True)
class Finding:
    """One image that was looked at."""

    name: str
    pixels: int
    problem: str = ""
    """Why it cannot be used; empty if it can."""
    warning: str = ""


def inspect(folder: Path, patch: int | None = None, scale: int | None = None) -> Iterator[Finding]:
    """Decodes every training image of a folder or zip, HR and LR, and tells of each.

    patch: the side of a crop in low-resolution pixels; smaller images are problems. scale: where LR is made or its
    folder does not tell; by default every scale there is, 2 without LR, and that of the first pair where nothing tells.
    Raises: DataError if there is nothing to look at, or no LR of that scale.
    """
    there = layout(folder)
    sizes: dict[ImageFile, Size] = {}
    for file in there.high:
        yield _look(file, sizes, (patch or 1) * (scale or min(there.low, default=0) or 2), "HR")
    for stated in _scales(there, scale):
        yield from _low(there, stated, scale, patch or 1, sizes)


def _scales(there: Layout, scale: int | None) -> list[int]:
    if scale is None:
        return sorted(there.low)
    there.lows(scale)
    return [key for key in (scale, 0) if key in there.low][:1]


def _low(there: Layout, stated: int, scale: int | None, patch: int, sizes: dict[ImageFile, Size]) -> Iterator[Finding]:
    both, wrong = matched(there.high, there.low[stated])
    ratio = scale or stated
    for high, low in both:
        finding = _look(low, sizes, patch, "LR")
        if low in sizes and high in sizes and not finding.problem:
            ratio = ratio or max(1, round(sizes[high][0] / sizes[low][0]))
            problem = size_mismatch(sizes[low], sizes[high], ratio)
            finding = Finding(low.name, finding.pixels, f"{problem} of {high.name}" if problem else "", finding.warning)
        yield finding
    yield from (Finding(file.name, 0, why) for file, why in wrong)


def _look(file: ImageFile, sizes: dict[ImageFile, Size], least: int, role: str) -> Finding:
    """Notes the size of an image that can be decoded."""
    try:
        pixels = file.rgb()
    except UnreadableImage as error:
        return Finding(file.name, 0, error.why)
    height, width = sizes[file] = pixels.shape[:2]
    small = f"{width}x{height} pixels; expected at least {least} a side in {role}" if min(height, width) < least else ""
    return Finding(file.name, height * width, small, "gray" if _is_gray(pixels) else "")


def _is_gray(pixels: Pixels) -> bool:
    return bool(np.all(pixels[..., :1] == pixels[..., 1:]))

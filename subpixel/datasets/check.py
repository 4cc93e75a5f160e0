"""What is wrong with training data, told before a training starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subpixel.datasets.files import ImageFile, Size
from subpixel.datasets.layouts import Layout, find_layout, match_pairs, size_mismatch
from subpixel.datasets.packed import Pixels
from subpixel.errors import UnreadableImage


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
    layout = find_layout(folder)
    sizes: dict[ImageFile, Size] = {}
    for file in layout.high:
        yield _inspect_file(file, sizes, (patch or 1) * (scale or min(layout.low, default=0) or 2), "HR")
    for stated in _stated_scales(layout, scale):
        yield from _inspect_pairs(layout, stated, scale, patch or 1, sizes)


def _stated_scales(layout: Layout, scale: int | None) -> list[int]:
    """The keys of `Layout.low` to look at."""
    if scale is None:
        return sorted(layout.low)
    layout.lows(scale)
    return [key for key in (scale, 0) if key in layout.low][:1]


def _inspect_pairs(
    layout: Layout, stated: int, scale: int | None, patch: int, sizes: dict[ImageFile, Size]
) -> Iterator[Finding]:
    pairs, unmatched = match_pairs(layout.high, layout.low[stated])
    ratio = scale or stated
    for high, low in pairs:
        finding = _inspect_file(low, sizes, patch, "LR")
        if low in sizes and high in sizes and not finding.problem:
            ratio = ratio or max(1, round(sizes[high][0] / sizes[low][0]))
            problem = size_mismatch(sizes[low], sizes[high], ratio)
            finding = Finding(low.name, finding.pixels, f"{problem} of {high.name}" if problem else "", finding.warning)
        yield finding
    yield from (Finding(file.name, 0, reason) for file, reason in unmatched)


def _inspect_file(file: ImageFile, sizes: dict[ImageFile, Size], least: int, role: str) -> Finding:
    """Adds the size of an image that can be decoded to `sizes`."""
    try:
        pixels = file.rgb()
    except UnreadableImage as error:
        return Finding(file.name, 0, error.why)
    height, width = sizes[file] = pixels.shape[:2]
    small = f"{width}x{height} pixels; expected at least {least} a side in {role}" if min(height, width) < least else ""
    return Finding(file.name, height * width, small, "gray" if _is_gray(pixels) else "")


def _is_gray(pixels: Pixels) -> bool:
    return bool(np.all(pixels[..., :1] == pixels[..., 1:]))

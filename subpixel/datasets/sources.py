"""Where training data comes from: a folder or zip of photos, of pairs, or DIV2K's (see `layouts`), packed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.degraded import Degradation, Degraded
from subpixel.datasets.files import ImageFile, Size, find_images
from subpixel.datasets.layouts import Layout, find_layout, match_pairs, size_mismatch
from subpixel.datasets.moving import Moving, least
from subpixel.datasets.packed import PackedImages, Pixels, pack
from subpixel.datasets.pairs import Pairs
from subpixel.datasets.patches import check_sizes
from subpixel.errors import DataError, UnreadableImage
from subpixel.images import dequantise, quantise

T = TypeVar("T")
Reduce = Callable[[NDArray[Any], int, int], NDArray[Any]]
"""Pixels H W C, uint8 or float in [0, 1], height, width -> the reduced ones; `resample.resize` is the field's."""


def pairs(folder: Path, scale: int, reduce: Reduce, cache: Path, channels: int = 3, patch: int = 0) -> Pairs:
    """Packs the training images of a folder or zip (once; then the packs are reopened) and returns their pairs.

    LR comes from files where there are any, else it is HR, cut to a multiple of the scale, and reduced. channels: of
    the network. patch: that crops will have; headers tell images that are smaller before any is packed.
    Raises: DataError naming the folder that is empty or the image that cannot be used.
    """
    layout = find_layout(folder)
    matches = file_pairs(layout, scale)
    if matches:
        return _from_files(matches, scale, cache, channels, patch)
    high = _highs(layout.high, cache, channels, patch, scale)

    def low(index: int) -> Pixels:
        height, width = (int(n) // scale for n in high.sizes[index])
        if 0 in (height, width):
            raise DataError(f"{high.names[index]}: a side of less than {scale} pixels; remove it and start again")
        return _reduced(reduce, high[index][: height * scale, : width * scale], height, width)

    method = getattr(reduce, "__qualname__", str(reduce))
    return Pairs(_pack(layout.high, low, cache, f"{method} x{scale}", channels), high, scale)


def degraded(
    folder: Path, scale: int, degradation: Degradation, cache: Path, channels: int = 3, patch: int = 0
) -> Degraded:
    """Packs the HR training images of a folder or zip; their LR is made anew for every crop.

    channels, patch: as of `pairs`.
    Raises: DataError naming the folder that is empty or the image that cannot be used.
    """
    return Degraded(_highs(find_layout(folder).high, cache, channels, patch, scale), scale, degradation)


def moving(folder: Path, scale: int, frames: int, cache: Path, patch: int = 0) -> Moving:
    """Packs the luma of the HR training images of a folder or zip; clips of so many frames are made of them.

    patch: as of `pairs`.
    Raises: DataError naming the folder that is empty or the image that cannot be used.
    """
    return Moving(_highs(find_layout(folder).high, cache, 1, least(scale, patch)), scale, frames)


def file_pairs(layout: Layout, scale: int) -> list[tuple[ImageFile, ImageFile]]:
    """The images of HR and LR of a scale that belong together; none where there is no LR at all.

    Raises: DataError for LR of other scales alone, and naming an image that has no partner.
    """
    matches, unmatched = match_pairs(layout.high, layout.lows(scale)) if layout.low else ([], [])
    if unmatched:
        raise DataError(f"{unmatched[0][0].name}: {unmatched[0][1]} (subpixel data check names all such)")
    return matches


def digest(folder: Path) -> str:
    """Sixteen hexadecimal digits that name the training data: of manifest.csv where there is one, else of the names."""
    manifest = folder / "manifest.csv"
    names = [file.place.name for file in find_images(folder)] if not manifest.is_file() else []
    content = "\n".join(names).encode(errors="surrogateescape") or manifest.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def fingerprint(folder: Path) -> str:
    """Sixteen hexadecimal digits of the names and lengths of all images: other ones when the images change."""
    content = "\n".join(f"{file.place} {file.bytes}" for file in find_images(folder))
    return hashlib.sha256(content.encode(errors="surrogateescape")).hexdigest()[:16]


def _highs(files: Sequence[ImageFile], cache: Path, channels: int, patch: int, scale: int = 1) -> PackedImages:
    check = partial(_check_headers, files, patch, scale)
    return _pack(files, lambda k: _samples(files[k], channels), cache, "rgb", channels, check)


def _from_files(
    matches: Sequence[tuple[ImageFile, ImageFile]], scale: int, cache: Path, channels: int, patch: int
) -> Pairs:
    highs, lows = [pair[0] for pair in matches], [pair[1] for pair in matches]

    def check() -> None:
        _check_headers(lows, patch)
        for large, small in matches:
            _check_ratio(small, _told(small.size), large, _told(large.size), scale)

    high = _pack(highs, lambda k: _samples(highs[k], channels), cache, "rgb", channels, check)

    def low(index: int) -> Pixels:
        pixels, (height, width) = _samples(lows[index], channels), (int(n) for n in high.sizes[index])
        _check_ratio(lows[index], pixels.shape[:2], highs[index], (height, width), scale)
        return pixels[: height // scale, : width // scale]

    stamps = [file.key for file in highs]  # whose sizes decide the cut
    return Pairs(_pack(lows, low, cache, ["cut", scale, stamps], channels), high, scale)


def _check_ratio(low: ImageFile, low_size: Size, high: ImageFile, high_size: Size, scale: int) -> None:
    if problem := size_mismatch(low_size, high_size, scale):
        raise DataError(f"{low.name}: {problem} of {high.name}")


def _pack(
    files: Sequence[ImageFile],
    image: Callable[[int], Pixels],
    cache: Path,
    method: object,
    channels: int,
    check: Callable[[], object] = lambda: None,
) -> PackedImages:
    """method: how image k comes from file k, as JSON."""
    return pack([file.name for file in files], image, cache, [method, [file.key for file in files]], channels, check)


def _check_headers(files: Sequence[ImageFile], patch: int, scale: int = 1) -> None:
    """Raises: DataError for an image that cannot be read, or, reduced by `scale`, is smaller than the patch."""
    sizes = [_told(file.size) for file in files]
    check_sizes([file.name for file in files], np.array(sizes), patch, scale)


def _reduced(reduce: Reduce, pixels: Pixels, height: int, width: int) -> Pixels:
    """8-bit levels as the benchmarks' are; deeper ones as numbers, rounded once."""
    if pixels.dtype == np.uint8:
        return reduce(pixels, height, width)
    return quantise(reduce(dequantise(pixels), height, width), 16)


def _samples(file: ImageFile, channels: int) -> Pixels:
    return _told(lambda: file.samples(channels))


def _told(read: Callable[[], T]) -> T:
    """What is read of an image. Raises: DataError that says what to do with one that cannot be read."""
    try:
        return read()
    except UnreadableImage as error:
        raise DataError(f"{error}; mend or remove it and start again") from None

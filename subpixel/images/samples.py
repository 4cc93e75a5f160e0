"""Sample values: levels of a file to floats in [0, 1] and back; and libvips, which decodes and encodes."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.images.metadata import Depth

Floats = NDArray[np.float32]

_STARTING = threading.Lock()


def quantise(values: Floats, depth: Depth) -> NDArray[Any]:
    """Floats of any shape, clipped to [0, 1] and rounded half up to uint8 or uint16 levels; depth 32 only clips.

    10 and 12 bits are the highest of uint16's, the others zero: so libheif takes and gives them.
    """
    if depth == 32:
        return np.clip(values, 0, 1)
    levels = np.empty(values.shape, np.uint8 if depth == 8 else np.uint16)
    step = max(1, 2**16 // max(1, values[:1].size))  # bands that stay in the cache
    for y in range(0, len(values), step):
        band = np.clip(values[y : y + step], 0, 1)
        band *= np.float32(2**depth - 1)
        band += np.float32(0.5)
        levels[y : y + step] = band
    return levels << np.uint16(16 - depth) if depth in (10, 12) else levels


def dequantise(levels: NDArray[Any]) -> Floats:
    """uint8 and uint16 levels to float32 in [0, 1], correctly rounded; floats keep their values."""
    if levels.dtype.kind == "u":
        return np.divide(levels, np.float32(np.iinfo(levels.dtype).max), dtype=np.float32)
    return levels.astype(np.float32)


_TOLERANCE = 1e-4
"""What rounding in another program may have added to 1, or taken from 0."""


def in_range(values: Floats) -> bool:
    """Whether all values, of any shape, are numbers in [0, 1]."""
    return bool(values.min() >= 0 and values.max() <= 1)  # false for NaN too


def limited(values: NDArray[Any]) -> NDArray[Any] | None:
    """Floats of any shape that are in [0, 1] but for rounding, in [0, 1]; None where they are not."""
    if in_range(values):
        return values
    if values.min() >= -_TOLERANCE and values.max() <= 1 + _TOLERANCE:
        return np.clip(values, 0, 1)
    return None


def vips() -> Any:
    """libvips, imported late, without its cache of operations, which would keep whole images alive.

    No Python runs in its threads: there, in the handler of a warning, a collection of garbage that frees an image
    aborts the process.
    """
    with _STARTING:
        os.environ.setdefault("VIPS_WARNING", "0")  # libvips, when it starts: warnings go nowhere
        import pyvips

        pyvips._remove_log_handler()  # pyright: ignore[reportPrivateUsage]
        pyvips.cache_set_max(0)
    return pyvips


def cmyk_to_srgb(image: Any, icc: bytes | None) -> Any:
    """An image of libvips, by the profile that it has, or else by this one, or else by one of a usual press."""
    image = image.copy()
    if icc and not image.get_typeof("icc-profile-data"):
        image.set_type(vips().GValue.blob_type, "icc-profile-data", icc)
    depth = 8 if image.format == "uchar" else 16
    return image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)


def levels_to_srgb(image: Any, icc: bytes) -> Any:
    """An image of libvips with 8 bits, gray or RGB, by a profile. Raises: pyvips.Error for one of no use."""
    image = image.copy(interpretation="b-w" if image.bands < 3 else "srgb").colourspace("srgb")
    image.set_type(vips().GValue.blob_type, "icc-profile-data", icc)
    return image.icc_transform("srgb", embedded=True, input_profile="srgb")


def converts(icc: bytes) -> bool:
    """Whether a profile that looks whole can be used."""
    pyvips = vips()
    try:
        levels_to_srgb(pyvips.Image.black(1, 1, bands=3), icc)
    except pyvips.Error:
        return False
    return True


def to_batch(pixels: Floats) -> Floats:
    """(H, W, C) to (1, C, H, W), contiguous."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def from_batch(batch: Floats) -> Floats:
    """(1, C, H, W) to (H, W, C), contiguous."""
    return np.ascontiguousarray(batch[0].transpose(1, 2, 0))

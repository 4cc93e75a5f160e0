"""Images whose levels lie in their file as they are: rows are read when they are asked for, and nothing is decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_ORDERS = {
    "L": (0,), "LA": (0, 1), "RGB": (0, 1, 2), "RGBA": (0, 1, 2, 3), "BGR": (2, 1, 0), "BGRA": (2, 1, 0, 3),
}  # fmt: skip
"""Pillow's names for how the levels of a pixel lie in a file -> where gray or R, G and B are, and alpha."""
_FORMATS = ("BMP", "DIB", "TGA", "PPM")


@dataclass(frozen=True)
class StoredLevels:
    """Where in a file the rows of an image lie."""

    source: str | Path | bytes
    width: int
    height: int
    order: tuple[int, ...]
    """Of each channel, which of a pixel's bytes it is."""
    offset: int
    """Bytes before the first row."""
    stride: int
    """Bytes from a row to the next."""
    upwards: bool
    """Whether the lowest row comes first."""
    format = "uchar"  # libvips' name

    @property
    def bands(self) -> int:
        """How many levels a pixel has in the file."""
        return len(self.order)

    def rows(self, y0: int, y1: int) -> NDArray[np.uint8]:
        """Rows y0 to y1 (exclusive). Raises: OSError, ValueError for a file that is not what it was."""
        first = self.height - y1 if self.upwards else y0
        with io.BytesIO(self.source) if isinstance(self.source, bytes) else open(self.source, "rb") as file:
            file.seek(self.offset + first * self.stride)
            data = file.read((y1 - y0) * self.stride)
        levels = np.frombuffer(data, np.uint8).reshape(y1 - y0, self.stride)[:, : self.width * self.bands]
        pixels = levels.reshape(y1 - y0, self.width, self.bands)[:: -1 if self.upwards else 1]
        return np.ascontiguousarray(pixels[..., self.order])


def stored_levels(file: BinaryIO, image: Any) -> StoredLevels | None:
    """Where the levels of an image lie that Pillow has opened; None where it must decode or turn them.

    A file that ends too early is Pillow's to refuse.
    """
    whole = (0, 0, *image.size)
    tiles = [(tile.offset, tile.args) for tile in image.tile if tile.codec_name == "raw" and tile.extents == whole]
    if image.format not in _FORMATS or len(tiles) != 1 or getattr(image, "_flip_horizontally", False):
        return None
    offset, args = tiles[0]
    kind, stride, orientation = (args, 0, 1) if isinstance(args, str) else args
    if kind not in _ORDERS:
        return None
    order, (width, height) = _ORDERS[kind], image.size
    stride = stride or width * len(order)
    if file.seek(0, io.SEEK_END) < offset + height * stride:
        return None
    source = file.getvalue() if isinstance(file, io.BytesIO) else file.name
    return StoredLevels(source, width, height, order, offset, stride, orientation < 0)

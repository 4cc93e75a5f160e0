"""The smaller copies of a plane that a pyramid has: means of 2 x 2 pixels, of classes one of the four."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.domains.planes import Enlarged
from subpixel.domains.source import bands

Array = NDArray[Any]


def halved(values: Array, labels: bool = False) -> Array:
    """Means of 2 x 2 pixels, H W C of the same type; an odd last row or column is left out.

    labels: classes, between which there is no mean; the first of the four stands for them.
    """
    height, width = values.shape[0] // 2, values.shape[1] // 2
    if labels:
        return values[: 2 * height : 2, : 2 * width : 2]
    even = values[: 2 * height, : 2 * width].astype(np.float64)
    means = even.reshape(height, 2, width, 2, -1).mean((1, 3))
    return (np.floor(means + 0.5) if values.dtype.kind in "ui" else means).astype(values.dtype)


class Pyramid:
    """A plane and its copies on disk, which no memory holds whole."""

    def __init__(self, rows: Enlarged, count: int, folder: Path) -> None:
        """count: how many levels, the plane among them; those that would be smaller than a pixel are left out."""
        shape, plane = rows.shape, rows.plane
        self._files = list[Path]()
        self.arrays = list[Array]()
        for level in range(count):
            sides = shape.height >> level, shape.width >> level
            if min(sides) < 1:
                break
            self._files.append(folder / f"level{level}")
            self.arrays.append(np.memmap(self._files[-1], plane.dtype, "w+", shape=(*sides, shape.channels)))
        for y, band in bands(rows):
            self.arrays[0][y : y + len(band)] = band
        for larger, smaller in zip(self.arrays, self.arrays[1:], strict=False):
            for y in range(0, len(smaller), 256):
                part = halved(np.asarray(larger[2 * y : 2 * (y + 256)]), plane.labels)
                smaller[y : y + len(part)] = part

    def close(self) -> None:
        self.arrays.clear()
        for file in self._files:
            with suppress(OSError):
                file.unlink()


def tiles(values: Array, side: int) -> Iterator[Array]:
    """Tiles of an image H W C, row by row, filled up with zeros at the far edges."""
    for y in range(0, len(values), side):
        for x in range(0, values.shape[1], side):
            part = np.asarray(values[y : y + side, x : x + side])
            yield np.pad(part, ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0)))

"""Images of floats beyond [0, 1], or with gaps, by the reader and the writer of photos: PFM, SPIDER, plain TIFF."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from subpixel.domains.frames import nowhere
from subpixel.domains.planes import Plane
from subpixel.domains.source import Enlarge, bands
from subpixel.domains.values import Array, ReadRows
from subpixel.errors import SubpixelError
from subpixel.images import create, open_image
from subpixel.images.samples import limited

FAULTS = (OSError, ValueError)
_STEP = 256
"""Rows that are looked at together."""


class Floats:
    """An opened image of floats: one plane of all its channels."""

    def __init__(self, path: Path) -> None:
        self._reader = open_image(path)
        height, width = self._reader.shape.height, self._reader.shape.width

        def read(rows: slice, columns: slice) -> Array:
            return self._reader.numbers(rows.start, rows.stop)[:, columns]

        values = ReadRows(height, width, self._reader.shape.channels, read)
        self.planes = [Plane(nowhere(height, width), values, np.dtype("f4"))]

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        result = enlarge(self.planes[0])
        with create(part, result.shape, self._reader.metadata, limited=False) as writer:
            for _, band in bands(result):
                writer.write(band)
        return [writer.note] if writer.note else []

    def close(self) -> None:
        """Nothing is held open."""


open_ = Floats


def is_beyond(path: str) -> bool:
    """Whether an image without alpha holds floats that no photo has; what cannot be read is told when it is opened."""
    with suppress(SubpixelError):
        reader = open_image(path)
        height = reader.shape.height
        if reader.shape.dtype == "float32" and not reader.shape.alpha:
            return any(limited(reader.numbers(y, min(y + _STEP, height))) is None for y in range(0, height, _STEP))
    return False

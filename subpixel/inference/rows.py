"""Images as rows that are computed when they are pulled: files, memory, and the stages that enlarge them.

A stage wraps rows into rows and pulls only the band it needs, so stages compose freely and the memory is
bounded by the bands, never by the image. What `rows` returns is not to be written to: stages keep views.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.images import Floats, Image, dequantise
from subpixel.ports import Shape
from subpixel.resample import Taps, along_columns, along_rows, taps

_BAND = 2**22
"""Samples of a band inside a stage (16 MiB)."""
UNIT, OPEN = (0.0, 1.0), (-math.inf, math.inf)
"""What results are clipped to: the range of an image, or nothing."""


class Rows(Protocol):
    """An image whose rows can be asked for, top to bottom: an opened file (`images.ImageReader`) is one."""

    @property
    def shape(self) -> Shape:
        """Height, width, channels, alpha and dtype."""
        ...

    def rows(self, y0: int, y1: int) -> Any:
        """Rows y0 to y1 (exclusive) as (y1 - y0, W, C [+ 1: alpha]) of the shape's dtype; floats are in [0, 1]."""
        ...


class ArrayRows:
    """An image in memory as rows: H W C, with alpha last where the shape says so."""

    def __init__(self, samples: NDArray[Any], shape: Shape) -> None:
        self.shape = shape
        self._samples = samples

    @classmethod
    def of(cls, image: Image) -> Self:
        """The rows of an Image."""
        return cls(image.samples, image.shape)

    def rows(self, y0: int, y1: int) -> NDArray[Any]:
        return self._samples[y0:y1]


class FloatRows:
    """Rows of 8 or 16 bit levels as floats in [0, 1]."""

    def __init__(self, source: Rows) -> None:
        self.shape = replace(source.shape, dtype="float32")
        self._source = source

    def rows(self, y0: int, y1: int) -> Floats:
        return dequantise(self._source.rows(y0, y1))


def as_floats(source: Rows) -> Rows:
    """The rows as floats in [0, 1], whatever they are stored as."""
    return source if source.shape.dtype == "float32" else FloatRows(source)


class ResizedRows:
    """Rows resampled by a kernel of `resample`, antialiased where they shrink, and clipped to the limits."""

    def __init__(
        self, source: Rows, height: int, width: int, kernel: str = "bicubic", limits: tuple[float, float] = UNIT
    ) -> None:
        given = source.shape
        self.shape = replace(given, height=height, width=width)
        self._source, self._limits = source, limits
        self._down, self._across = taps(given.height, height, kernel), taps(given.width, width, kernel)
        samples = max(width, given.width) * given.samples
        self._step = max(1, int(_BAND / samples / max(1, given.height / height)))

    def rows(self, y0: int, y1: int) -> Floats:
        out = np.empty((y1 - y0, self.shape.width, self.shape.samples), np.float32)
        for top in range(y0, y1, self._step):
            bottom = min(top + self._step, y1)
            np.clip(self._band(top, bottom), *self._limits, out=out[top - y0 : bottom - y0])
        return out

    def _band(self, top: int, bottom: int) -> Floats:
        axis = self._down.between(top, bottom)
        low, high = axis.reach
        band = self._source.rows(low, high)
        if high - low > bottom - top:  # first the axis that makes the band smaller
            return along_columns(along_rows(band, axis, low), self._across)
        return along_rows(along_columns(band, self._across), axis, low)


class GrainedRows:
    """Rows with noise of `source`'s resolution added, enlarged with them; the same for any band that is asked for.

    sigma: standard deviation of each channel, in [0, 1]. chroma: of that part which differs from channel to channel.
    """

    def __init__(self, rows: Rows, source: Shape, sigma: float, chroma: float) -> None:
        self.shape = rows.shape
        noise = _Noise(replace(source, alpha=False, dtype="float32"), sigma, chroma)
        self._rows, self._grain = rows, ResizedRows(noise, self.shape.height, self.shape.width)

    def rows(self, y0: int, y1: int) -> Floats:
        return np.clip(self._rows.rows(y0, y1) + self._grain.rows(y0, y1) - np.float32(0.5), 0, 1)


class _Noise:
    """White noise around 0.5, each row from a seed of its own."""

    def __init__(self, shape: Shape, sigma: float, chroma: float) -> None:
        self.shape = shape
        self._shared, self._own = np.float32(math.sqrt(max(0.0, sigma**2 - chroma**2))), np.float32(chroma)

    def rows(self, y0: int, y1: int) -> Floats:
        return np.stack([self._row(np.random.default_rng(y)) for y in range(y0, y1)])

    def _row(self, rng: np.random.Generator) -> Floats:
        width, channels = self.shape.width, self.shape.channels
        shared, own = (rng.standard_normal((width, count), np.float32) for count in (1, channels))
        return np.asarray(self._shared * shared + self._own * own + 0.5, np.float32)


class AlphaRows:
    """The alpha of an image as a gray image."""

    def __init__(self, source: Rows) -> None:
        self.shape = replace(source.shape, channels=1, alpha=False)
        self._source = source

    def rows(self, y0: int, y1: int) -> Floats:
        return self._source.rows(y0, y1)[..., -1:]


class BledRows:
    """The colour of an image with alpha, where colour has bled into what is transparent.

    The colour of a fully transparent pixel is arbitrary, often black, and would show as a fringe around what
    is visible. It becomes the average of the colours within `reach` pixels, weighted by their alpha and by
    exp(-|dx| - |dy|); farther from anything visible it stays.
    """

    def __init__(self, source: Rows, reach: int) -> None:
        self.shape = replace(source.shape, alpha=False)
        self._source, self._reach = source, reach
        self._down, self._across = _nearby(self.shape.height, reach), _nearby(self.shape.width, reach)

    def rows(self, y0: int, y1: int) -> Floats:
        low, high = max(0, y0 - self._reach), min(self.shape.height, y1 + self._reach)
        band = self._source.rows(low, high)
        inner = band[y0 - low : y1 - low]
        colour = np.ascontiguousarray(inner[..., :-1])
        hidden = inner[..., -1] == 0
        if hidden.any():
            alpha = band[..., -1:]
            weighted = np.concatenate([band[..., :-1] * alpha, alpha], axis=-1)
            near = along_columns(along_rows(weighted, self._down.between(y0, y1), low), self._across)
            hidden &= near[..., -1] > 0
            colour[hidden] = near[hidden, :-1] / near[hidden, -1:]
        return colour


def _nearby(length: int, reach: int) -> Taps:
    """A sum over the neighbours up to `reach` pixels away, weighted by exp(-distance), inside the image."""
    offsets = np.arange(-reach, reach + 1)
    positions = np.arange(length)[:, None] + offsets
    inside = (positions >= 0) & (positions < length)
    return Taps(np.clip(positions, 0, length - 1), np.exp(-np.abs(offsets)) * inside)


class WithAlpha:
    """Colour and alpha, side by side again."""

    def __init__(self, colour: Rows, alpha: Rows) -> None:
        self.shape = replace(colour.shape, alpha=True)
        self._colour, self._alpha = colour, alpha

    def rows(self, y0: int, y1: int) -> Floats:
        return np.concatenate([self._colour.rows(y0, y1), self._alpha.rows(y0, y1)], axis=-1)

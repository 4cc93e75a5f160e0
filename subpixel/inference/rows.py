"""Images as rows that are computed when they are pulled: files, memory, and the stages that enlarge them.

A stage wraps rows into rows and pulls only the band it needs, so stages compose freely and the memory is
bounded by the bands, never by the image. What `rows` returns is not to be written to: stages keep views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.images import Floats, Image
from subpixel.resample import Taps, along_columns, along_rows, taps

_BAND = 2**22
"""Samples of a band inside a stage (16 MiB)."""


class Rows(Protocol):
    """An image whose rows can be asked for, top to bottom: an opened file (`image.Source`) is one."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def channels(self) -> int:
        """1 or 3 channels of colour; alpha is not counted."""
        ...

    @property
    def has_alpha(self) -> bool: ...
    def rows(self, y0: int, y1: int) -> Any:
        """Rows y0 to y1 (exclusive) as (y1 - y0, W, C [+ 1: alpha]), float32 in [0, 1]; uint8 after `Levels`."""
        ...


class ArrayRows:
    """An image in memory as rows."""

    def __init__(self, image: Image) -> None:
        self.height, self.width = image.height, image.width
        self.channels, self.has_alpha = image.channels, image.has_alpha
        self._samples = image.samples

    def rows(self, y0: int, y1: int) -> Floats:
        return self._samples[y0:y1]


class Uint8Rows:
    """The 8-bit levels of an RGB image, as they are: what a network that computes on bytes is fed."""

    channels, has_alpha = 3, False

    def __init__(self, height: int, width: int, levels: Callable[[int, int], NDArray[np.uint8]]) -> None:
        self.height, self.width = height, width
        self.rows = levels


class ResizedRows:
    """Rows resampled by a kernel of `resample`, antialiased where they shrink, and clipped to [0, 1]."""

    def __init__(self, source: Rows, height: int, width: int, kernel: str = "bicubic") -> None:
        self.height, self.width = height, width
        self.channels, self.has_alpha = source.channels, source.has_alpha
        self._source = source
        self._down, self._across = taps(source.height, height, kernel), taps(source.width, width, kernel)
        samples = max(width, source.width) * (self.channels + self.has_alpha)
        self._step = max(1, int(_BAND / samples / max(1, source.height / height)))

    def rows(self, y0: int, y1: int) -> Floats:
        out = np.empty((y1 - y0, self.width, self.channels + self.has_alpha), np.float32)
        for top in range(y0, y1, self._step):
            bottom = min(top + self._step, y1)
            np.clip(self._band(top, bottom), 0, 1, out=out[top - y0 : bottom - y0])
        return out

    def _band(self, top: int, bottom: int) -> Floats:
        axis = self._down.between(top, bottom)
        low, high = axis.reach
        band = self._source.rows(low, high)
        if high - low > bottom - top:  # first the axis that makes the band smaller
            return along_columns(along_rows(band, axis, low), self._across)
        return along_rows(along_columns(band, self._across), axis, low)


class AlphaRows:
    """The alpha of an image as a gray image."""

    channels, has_alpha = 1, False

    def __init__(self, source: Rows) -> None:
        self.height, self.width = source.height, source.width
        self._source = source

    def rows(self, y0: int, y1: int) -> Floats:
        return self._source.rows(y0, y1)[..., -1:]


class BledRows:
    """The colour of an image with alpha, where colour has bled into what is transparent.

    The colour of a fully transparent pixel is arbitrary, often black, and would show as a fringe around what
    is visible. It becomes the average of the colours within `reach` pixels, weighted by their alpha and by
    exp(-|dx| - |dy|); farther from anything visible it stays.
    """

    has_alpha = False

    def __init__(self, source: Rows, reach: int) -> None:
        self.height, self.width, self.channels = source.height, source.width, source.channels
        self._source, self._reach = source, reach
        self._down, self._across = _nearby(self.height, reach), _nearby(self.width, reach)

    def rows(self, y0: int, y1: int) -> Floats:
        low, high = max(0, y0 - self._reach), min(self.height, y1 + self._reach)
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

    has_alpha = True

    def __init__(self, colour: Rows, alpha: Rows) -> None:
        self.height, self.width, self.channels = colour.height, colour.width, colour.channels
        self._colour, self._alpha = colour, alpha

    def rows(self, y0: int, y1: int) -> Floats:
        return np.concatenate([self._colour.rows(y0, y1), self._alpha.rows(y0, y1)], axis=-1)

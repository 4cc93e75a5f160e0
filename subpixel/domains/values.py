"""Numbers of any type and range, made fit for a network and back: laws from global statistics, and what is missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import SubpixelError
from subpixel.inference.rows import Rows
from subpixel.inference.window import Window
from subpixel.ports import Shape

Array = NDArray[Any]
Law = Literal["affine", "asinh"]

_SAMPLE = 2**20
"""Numbers that statistics are taken from, on a regular grid over the whole plane."""
_BAND = 2**22
"""Numbers that are looked at together."""
_TAILS = (0.001, 0.999)
"""Quantiles that become 0 and 1; what lies outside is not clipped."""
_SIGMA = 1.4826
"""A normal distribution's standard deviation, by its median absolute deviation."""
_HEAVY = 1e3
"""From so many interquartile ranges between the extremes on, asinh, or a network's errors would drown all the rest."""
_ABSURD = 1e12
"""Interquartile ranges from the median: no sensor measures more, and programs write 1e20 or -3.4e38 for nothing."""
_LIMIT = 1e6
"""What a network is given at most, so that its floats stay finite."""
_SOFTENING = 3.0
"""From so many standard deviations of the background on, asinh turns from linear to logarithmic."""


class ReadRows:
    """Rows that a function reads: slices of rows and columns to (height, width, C)."""

    def __init__(self, height: int, width: int, channels: int, read: Callable[[slice, slice], Array]) -> None:
        self.shape = Shape(height, width, channels)
        self._read = read

    def rows(self, y0: int, y1: int) -> Array:
        return self._read(slice(y0, y1), slice(0, self.shape.width))

    def guarded(self, faults: tuple[type[Exception], ...]) -> Self:
        """The same rows; faults of what reads them are told as damage, by SubpixelError."""

        def read(rows: slice, columns: slice) -> Array:
            try:
                return self._read(rows, columns)
            except SubpixelError:
                raise
            except faults as error:  # GDAL's own words are in its cause
                raise SubpixelError(f"it is damaged: {error.__cause__ or error}") from error

        return type(self)(self.shape.height, self.shape.width, self.shape.channels, read)

    def within(self, window: Window) -> Self:
        """Those of a part."""
        y, x = window.y, window.x

        def read(rows: slice, columns: slice) -> Array:
            return self._read(slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x))

        return type(self)(window.height, window.width, self.shape.channels, read)


def in_memory(values: Array) -> ReadRows:
    """An array H W or H W C as rows."""
    values = values[..., None] if values.ndim == 2 else values
    height, width, channels = values.shape
    return ReadRows(height, width, channels, lambda rows, columns: values[rows, columns])


@dataclass(frozen=True)
class Normalisation:
    """Physical values to about [0, 1] and back; one for a whole plane, so that tiles do not show.

    asinh: Lupton et al., AJ 118 (1999): linear near the background, logarithmic for what is bright.
    """

    low: float
    span: float
    centre: float = 0.0
    softening: float = 0.0
    """0: the affine law."""

    def apply(self, values: Array) -> NDArray[np.float32]:
        """Physical values to float32 of about [0, 1]."""
        stretched = np.arcsinh((values - self.centre) / self.softening) if self.softening else values
        return np.clip((stretched - self.low) / self.span, -_LIMIT, _LIMIT).astype(np.float32)

    def undo(self, values: Array) -> NDArray[np.float64]:
        """The inverse of `apply`, in float64."""
        stretched = values.astype(np.float64) * self.span + self.low
        return np.sinh(stretched) * self.softening + self.centre if self.softening else stretched


def normalisation(sample: Array, law: Law) -> Normalisation:
    """The law's numbers, from what was measured of a plane or a sample of it. uint8 keeps its range.

    Where a few numbers lie very far from all others, the law is asinh in any case.
    """
    if sample.dtype == np.uint8:
        return Normalisation(0.0, 255.0)
    values = sample.astype(np.float64)
    if not values.size:
        return Normalisation(0.0, 1.0)
    centre, spread = _middle(values)
    if spread and np.ptp(values) > _HEAVY * spread:
        law = "asinh"
    softening = _SOFTENING * _SIGMA * float(np.median(np.abs(values - centre))) if law == "asinh" else 0.0
    if softening:
        values = np.arcsinh((values - centre) / softening)
    low, high = (float(q) for q in np.quantile(values, _TAILS))
    high = float(values.max()) if softening else high
    return Normalisation(low, (high - low) or max(abs(low), 1.0), centre, softening)


def believable(sample: Array) -> tuple[float, float]:
    """The least and the greatest number that can have been measured, by a sample of a plane."""
    if sample.dtype.kind != "f" or not sample.size:
        return -np.inf, np.inf
    centre, spread = _middle(sample.astype(np.float64))
    reach, most = _ABSURD * spread or np.inf, float(np.finfo(sample.dtype).max)
    return max(centre - reach, -most), min(centre + reach, most)


def _middle(values: Array) -> tuple[float, float]:
    """The median, and the interquartile range."""
    low, centre, high = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    return centre, high - low


def sampled(values: Rows, valid: Rows) -> Array:
    """Measured values on a regular grid over a whole plane, all channels; uint8 is not looked at."""
    height, width = values.shape.height, values.shape.width
    step = max(1, round((height * width * values.shape.channels / _SAMPLE) ** 0.5))
    rows, samples = max(1, _BAND // (width * values.shape.channels) // step) * step, list[Array]()
    for y in range(0, height, rows):
        band = values.rows(y, min(y + rows, height))[::step, ::step]
        if band.dtype == np.uint8:
            return band[:0]
        samples.append(band[valid.rows(y, min(y + rows, height))[::step, ::step, 0]].ravel())
    return np.concatenate(samples)


class ValidRows:
    """Where a plane holds numbers that were measured, H W 1: those that the file does not mask, finite and believed."""

    def __init__(
        self, values: Rows, mask: Rows | None = None, believed: tuple[float, float] = (-np.inf, np.inf)
    ) -> None:
        self.shape = replace(values.shape, channels=1)
        self._values, self._mask, self._believed = values, mask, believed

    def rows(self, y0: int, y1: int) -> NDArray[np.bool_]:
        values = self._values.rows(y0, y1)
        low, high = self._believed
        believed = np.isfinite(values) & (values >= low) & (values <= high) if values.dtype.kind == "f" else None
        finite = believed.all(2, keepdims=True) if believed is not None else None
        if self._mask is None:
            return np.ones((*values.shape[:2], 1), np.bool_) if finite is None else finite
        mask = self._mask.rows(y0, y1)
        return mask if finite is None else mask & finite


class FilledRows:
    """Values as float64, where what is missing is the nearest measured value up to `reach` away, else `otherwise`.

    Nearest by steps to the side, up and down, so that it is the same in any band.
    """

    def __init__(self, values: Rows, valid: Rows, reach: int, otherwise: float) -> None:
        self.shape = replace(values.shape, dtype="float32")
        self._values, self._valid, self._reach, self._otherwise = values, valid, reach, otherwise

    def rows(self, y0: int, y1: int) -> NDArray[np.float64]:
        known = self._valid.rows(y0, y1)[..., 0]
        if known.all():
            return self._values.rows(y0, y1).astype(np.float64)
        low, high = max(0, y0 - self._reach), min(self.shape.height, y1 + self._reach)
        known = self._valid.rows(low, high)[..., 0]
        values = self._values.rows(low, high).astype(np.float64)
        values[~known] = self._otherwise
        for _ in range(self._reach):
            values, known = _spread(values, known)
        return values[y0 - low : y1 - low]


def _spread(values: Array, known: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """One step: each unknown pixel beside a known one takes its value."""
    values, now = values.copy(), known.copy()
    for to, of in _NEIGHBOURS:
        new = known[of] & ~now[to]
        values[to][new] = values[of][new]
        now[to] |= new
    return values, now


_ALL, _FIRST, _LAST = slice(None), slice(None, -1), slice(1, None)
_NEIGHBOURS = (
    ((_LAST, _ALL), (_FIRST, _ALL)), ((_FIRST, _ALL), (_LAST, _ALL)),
    ((_ALL, _LAST), (_ALL, _FIRST)), ((_ALL, _FIRST), (_ALL, _LAST)),
)  # fmt: skip


def rim(valid: Rows, y0: int, y1: int, reach: int) -> NDArray[np.bool_]:
    """The measured pixels of rows y0 to y1 that have a missing one up to `reach` away, H W: what saw filled values."""
    low, high = max(0, y0 - reach), min(valid.shape.height, y1 + reach)
    missing = ~valid.rows(low, high)[..., 0]
    if not missing.any():
        return missing[y0 - low : y1 - low]
    near = _any_near(_any_near(missing, reach, 0), reach, 1)
    return (near & ~missing)[y0 - low : y1 - low]


def _any_near(mask: NDArray[np.bool_], reach: int, axis: int) -> NDArray[np.bool_]:
    length, sums = mask.shape[axis], np.cumsum(mask, axis, np.int32)
    sums = np.concatenate([np.zeros_like(np.take(sums, [0], axis)), sums], axis)
    places = np.arange(length)
    last, first = np.minimum(places + reach + 1, length), np.maximum(places - reach, 0)
    return np.take(sums, last, axis) > np.take(sums, first, axis)

"""One plane of an image of science or medicine: what it holds, and how it becomes larger."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.domains.frames import Frame, Grid
from subpixel.domains.values import (
    FilledRows,
    Law,
    Normalisation,
    ReadRows,
    ValidRows,
    believable,
    normalisation,
    rim,
    sampled,
)
from subpixel.errors import BadRequest
from subpixel.inference.consistency import Reduction, consistent, parse
from subpixel.inference.plan import Plan
from subpixel.inference.rows import Rows
from subpixel.inference.upscaler import Upscaler
from subpixel.inference.window import Window
from subpixel.ports import Shape

Array = NDArray[Any]
_BAND = 2**20
"""Numbers that are computed together in double precision."""
_NEAR = 2
"""Pixels that a kernel can see."""
_WIDEST = 3
"""Pixels that the widest kernel can see."""


@dataclass(frozen=True)
class Plane:
    """Channels that are enlarged together, 3 where they are colours, in the numbers of their file."""

    frame: Frame
    values: ReadRows
    """H W C of any number type."""
    dtype: np.dtype[Any]
    """Of the result."""
    mask: ReadRows | None = None
    """H W 1: which pixels were measured; what is not finite was not."""
    law: Law = "affine"
    labels: bool = False
    """Classes, masks, palettes: copied from the nearest pixel, for there is nothing between two classes."""
    counts: bool = False
    """What a pixel holds is a sum over its area, and shared among its parts."""
    nodata: tuple[float, float] | None = None
    """The numbers, from and to, that say that nothing was measured: what was measured must not become one."""
    believed: tuple[float, float] = (-math.inf, math.inf)
    """Between which numbers can have been measured."""
    bits: int | None = None
    """Those of a number, where the file keeps fewer than its type has."""
    name: str = ""

    def __post_init__(self) -> None:
        kind, size = self.dtype.kind, self.dtype.itemsize
        if kind not in "uif" or (kind != "f" and size > 4 and not self.labels) or size > 8:
            raise BadRequest(f"its numbers are {self.dtype.name}; expected at most 32 bits, or floats of at most 64")

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return self.values.shape.height, self.values.shape.width

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest number that the file can hold."""
        kind, bits = self.dtype.kind, self.bits or 8 * self.dtype.itemsize
        if kind == "f":
            most = float(np.finfo(f"f{bits // 8}").max)
            return -most, most
        return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if kind == "i" else (0, 2**bits - 1)

    @cached_property
    def valid(self) -> Rows:
        """H W 1 of booleans: which pixels were measured and are finite."""
        return ValidRows(self.values, self.mask, self.believed)

    def guarded(self, faults: tuple[type[Exception], ...]) -> Plane:
        """The same plane; faults while it is read are told as damage, by SubpixelError."""
        mask = self.mask.guarded(faults) if self.mask else None
        return replace(self, values=self.values.guarded(faults), mask=mask)

    def within(self, window: Window) -> Plane:
        """A part of it, whose frame is still that of the whole."""
        mask = self.mask.within(window) if self.mask else None
        return replace(self, values=self.values.within(window), mask=mask)


def upscaler_for(plane: Plane, upscaler: Upscaler) -> Upscaler:
    """With auto, stars are enlarged by Lanczos: networks that never saw any are farther from the truth.

    Raises: BadRequest where a restoration is asked for, which no kernel does.
    """
    return upscaler.with_default("lanczos") if plane.law == "asinh" else upscaler


def grid_of(plane: Plane, upscaler: Upscaler) -> Grid:
    """The pixels of a plane's result. Raises: BadRequest for one that shrinks, or a window that is not within."""
    height, width = plane.sides
    window = upscaler.window or Window(0, 0, width, height)
    window.check_inside(height, width)
    high, wide = upscaler.target.sides(window.height, window.width, upscaler.factor)
    if high < window.height or wide < window.width:
        raise BadRequest("what has places in the world is enlarged only; give a factor of 1 or more")
    return Grid(window, high, wide)


@dataclass
class Tally:
    """What the rows of a result lost so far."""

    numbers: int
    """Of the whole result."""
    clipped: int = 0
    rim: int = 0
    """Pixels that saw filled values."""
    reach: int = 0
    """Pixels of the source that a pixel of the result can see to each side."""


class Enlarged:
    """The result of a plane, as rows of its dtype. `plan` is what is done, None for labels.

    on_progress: hears of how many pixels of the plane a band was made.

    The law is that of the whole plane, and a window is computed with what it can see around it: at whole factors it is
    equal to that part of the result of the whole.

    Values go through the network in about [0, 1], come back to their units in double precision, and are made
    consistent there, with the box unless the upscaler says otherwise; whole numbers are rounded at the very end.
    Raises: BadRequest for counts where the factor is not whole.
    """

    def __init__(
        self, plane: Plane, upscaler: Upscaler, on_progress: Callable[[float], object] = lambda _: None
    ) -> None:
        self.plane, self.grid = plane, grid_of(plane, upscaler)
        self.factors = self.grid.factors
        self.shape = Shape(self.grid.height, self.grid.width, plane.values.shape.channels)
        self.plan: Plan | None = None
        self._part = plane.within(self.grid.window)
        """The window with what is computed around it."""
        self._inset = 0, 0
        """Where in the result of the part that of the window begins, down and across."""
        self.tally, self._on_progress = Tally(self.shape.pixels * self.shape.channels), on_progress
        self._rows, self.tally.reach = self._stages(upscaler_for(plane, upscaler)) if not plane.labels else (None, 0)

    def _stages(self, upscaler: Upscaler) -> tuple[Rows, int]:
        plane = self.plane
        reduction = Reduction("box") if upscaler.consistent == "auto" else parse(upscaler.consistent)
        whole = all(float(factor).is_integer() for factor in self.factors)
        if plane.counts and not (whole and reduction == Reduction("box")):
            raise BadRequest("a sum over a pixel's area is kept at whole factors, with the box; give such as -s 2")
        self.plan = upscaler.prepare(self._shape(self.grid.window), limited=False)
        reach = sum(step.card.halo for step in self.plan.steps) or _NEAR
        sample = sampled(plane.values, plane.valid)
        plane = replace(plane, believed=believable(sample))
        sample = sample[(sample >= plane.believed[0]) & (sample <= plane.believed[1])]
        law = normalisation(sample, plane.law)
        otherwise = float(np.median(sample.astype(np.float64))) if sample.size else 0.0
        around = 2 * reach + _WIDEST + (reduction.reach if reduction else 0)  # what fills, the network, what follows
        seen = self.grid.window.widened(around, self.grid.units, plane.sides)
        self._inset = self.grid.counted(self.grid.window.y - seen.y, self.grid.window.x - seen.x)
        sides = self.grid.counted(seen.height, seen.width)
        plan = upscaler.prepare(self._shape(seen), limited=False, sides=sides)
        self._part = part = plane.within(seen)
        filled = FilledRows(part.values, part.valid, reach, otherwise)
        result: Rows = _Undone(plan.rows(_Normalised(filled, law)), law)
        return consistent(result, filled, reduction) if reduction else result, reach

    def _shape(self, window: Window) -> Shape:
        return Shape(window.height, window.width, self.shape.channels)

    def rows(self, y0: int, y1: int) -> Array:
        """Rows y0 to y1 of the result, H W C of the plane's dtype; what was missing is what the file holds there."""
        out = np.empty((y1 - y0, self.shape.width, self.shape.channels), self.plane.dtype)
        unit = max(1, round(self.factors[0]))
        step = max(1, _BAND // (self.shape.width * self.shape.channels) // unit) * unit
        for top in range(y0, y1, step):
            bottom = min(top + step, y1)
            out[top - y0 : bottom - y0] = self._band(top, bottom)
            self._on_progress((bottom - top) * self.shape.width / math.prod(self.factors))
        return out

    def _band(self, y0: int, y1: int) -> Array:
        down, across = self._nearest(y0, y1)
        first, last = int(down[0]), int(down[-1]) + 1
        if self._rows is None:
            return self._part.values.rows(first, last)[down - first][:, across].astype(self.plane.dtype, copy=False)
        top, left = self._inset
        values = self._rows.rows(top + y0, top + y1)[:, left : left + self.shape.width]
        values = values / math.prod(self.factors) if self.plane.counts else values
        stored = self._stored(values)
        valid = self._part.valid.rows(first, last)[..., 0]
        if not valid.all():
            missing = ~valid[down - first][:, across]
            source = self._part.values.rows(first, last)[down - first][:, across]
            with np.errstate(invalid="ignore"):
                stored[missing] = source[missing].astype(self.plane.dtype)
        self.tally.rim += int(np.count_nonzero(self._rim(first, last, down, across)))
        return stored

    def rim(self, y0: int, y1: int) -> NDArray[np.bool_]:
        """The pixels of rows y0 to y1 of the result that saw filled values, H W."""
        down, across = self._nearest(y0, y1)
        return self._rim(int(down[0]), int(down[-1]) + 1, down, across)

    def _rim(self, first: int, last: int, down: Array, across: Array) -> NDArray[np.bool_]:
        near = rim(self._part.valid, first, last, self.tally.reach)
        return near[down - first][:, across] if near.any() else np.zeros((len(down), len(across)), np.bool_)

    def _stored(self, values: Array) -> Array:
        """Values as the file holds them, none of which says that nothing was measured."""
        dtype, (low, high) = self.plane.dtype, self.plane.limits
        values = values if dtype.kind == "f" else np.floor(values + 0.5)
        self.tally.clipped += int(np.count_nonzero((values < low) | (values > high)))
        stored = np.clip(values, low, high).astype(dtype)
        if self.plane.nodata is not None:
            first, last = self.plane.nodata
            taken = (stored >= first) & (stored <= last)
            if taken.any():
                stored[taken] = _after(last, dtype, 1) if last < high else _after(first, dtype, -1)
        return stored

    def _nearest(self, y0: int, y1: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The row and the column of the part that each row and column of the result lies in."""
        top, left = self._inset
        (height, width), (tall, wide) = self._part.sides, self.grid.counted(*self._part.sides)
        down = (2 * np.arange(top + y0, top + y1) + 1) * height // (2 * tall)
        return down, (2 * np.arange(left, left + self.shape.width) + 1) * width // (2 * wide)


def _after(number: float, dtype: np.dtype[Any], sign: int) -> float:
    """The next number of a type, up or down."""
    return float(np.nextafter(dtype.type(number), dtype.type(sign * np.inf))) if dtype.kind == "f" else number + sign


class _Normalised:
    """Values in about [0, 1], as networks take them."""

    def __init__(self, values: Rows, law: Normalisation) -> None:
        self.shape = replace(values.shape, dtype="float32")
        self._values, self._law = values, law

    def rows(self, y0: int, y1: int) -> Array:
        return self._law.apply(self._values.rows(y0, y1))


class _Undone(_Normalised):
    """What a network made of them, in their units again."""

    def rows(self, y0: int, y1: int) -> Array:
        return self._law.undo(self._values.rows(y0, y1))

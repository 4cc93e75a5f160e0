"""One frame larger: the network on Y, chroma by bicubic at its siting; or in R'G'B', where it has to restore."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from subpixel.analysis import DegradationReport
from subpixel.images import Floats
from subpixel.inference.plan import Plan
from subpixel.inference.rows import ArrayRows
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape
from subpixel.resample import along_columns, along_rows
from subpixel.video.colours import span, to_codes, to_rgb, to_ycc
from subpixel.video.planes import Grid, Layout, Plane
from subpixel.video.recurrence import with_memory
from subpixel.video.source import Source
from subpixel.video.stillness import PAYS, StillTiles, still_share, with_still_tiles

_WHOLE = (Grid(), Grid())
"""A sample for each pixel."""


class FrameUpscaler:
    """Planes of the source's layout in, larger planes of `layout` out; made once for a video.

    upscaler: reaches the target's size. report: what is wrong with the frames. neighbours: Y of frames that follow one
    another, by which it is seen whether most stands still. Where a network that is told of it is
    chosen, frames are restored in R'G'B'; else it computes on the codes of Y as they are, so that head- and footroom
    survive, and on R'G'B' only what came so.
    """

    def __init__(
        self,
        upscaler: Upscaler,
        source: Source,
        layout: Layout,
        report: DegradationReport,
        neighbours: Iterable[tuple[Plane, Plane]] = (),
    ) -> None:
        self._source, self._given, self.layout = source, source.layout, layout
        dtype = "uint8" if self._given.bits == 8 and not self._given.is_rgb else "float32"
        gray = Shape(source.height, source.width, 1, dtype=dtype)
        deep = self._given.bits > 8
        plan = upscaler.prepare(gray, report, deep=deep)
        self.restores = any(step.card.condition for step in plan.steps)
        self._in_rgb = self._given.is_rgb or (self.restores and not self._given.is_gray)
        if self._in_rgb:
            alpha = self._given.alpha and layout.alpha
            plan = upscaler.prepare(replace(gray, channels=3, alpha=alpha, dtype="float32"), report, deep=deep)
        plan, self._memories = with_memory(plan, upscaler.execution)
        self._memory: StillTiles | None = None
        if (
            not self._memories
            and len(plan.steps) == 1
            and not self._in_rgb
            and still_share(neighbours, plan.steps[0].card.halo) >= PAYS
        ):
            plan, self._memory = with_still_tiles(plan)
        self.plan: Plan = plan
        self.height, self.width = plan.target.height, plan.target.width
        self._colours = source.colours_in(layout)
        self._scales = self.height / source.height, self.width / source.width
        self._chroma_size = tuple(
            -(-n // (1 << sub)) for n, sub in zip((self.height, self.width), layout.sub, strict=True)
        )
        self._chroma = tuple(map(Grid.of, self._given.sub, source.centred))
        self._result = tuple(map(Grid.of, layout.sub, source.centred))

    def describe(self) -> str:
        """What is done: the networks, the size, and on what they compute."""
        where = "R'G'B'" if self._in_rgb else "Y, chroma by bicubic"
        still = "; what is seen is carried on" if self._memories else ""
        still = "; still tiles are computed once" if self._memory else still
        return f"{self.plan.describe()}; on {where}{still}"

    def begin(self, before: Iterable[list[Plane]] = ()) -> None:
        """A new start: of frames that came before, only these are known, where anything is carried on."""
        for memory in self._memories:
            memory.begin()
        for planes in before if self._memories else ():
            self(planes)

    def __call__(self, planes: list[Plane]) -> list[Plane]:
        if self._memory:
            self._memory.begin()
        if self._in_rgb:
            return self._through_rgb(planes)
        alpha = [self._alpha(planes[-1])] if self._given.alpha and self.layout.alpha else []
        return [self._luma(planes[0]), *self._chroma_of(planes), *alpha]

    def _through_rgb(self, planes: list[Plane]) -> list[Plane]:
        rgb = rgb_image(planes, self._source)
        if not self.plan.source.alpha:
            return self._from_rgb(self._network(rgb))
        result = self._network(np.dstack([rgb, self._floats(planes[-1])]))
        alpha = to_codes(result[..., 3] * np.float32(2**self.layout.bits - 1), self.layout.bits)
        return [*self._from_rgb(result[..., :3]), alpha]

    def _chroma_of(self, planes: list[Plane]) -> list[Plane]:
        """Larger chroma; without any colour where the source is gray and the result cannot be."""
        if self.layout.is_gray:
            return []
        if self._given.is_gray:
            return [np.full(self._chroma_size, 1 << (self.layout.bits - 1), self.layout.dtype)] * 2
        return [self._moved(plane) for plane in planes[1:3]]

    def _luma(self, plane: Plane) -> Plane:
        levels = plane[..., None] if self.plan.source.dtype == "uint8" else self._floats(plane)[..., None]
        result = self._network(levels)[..., 0]
        if result.dtype == np.uint8 and self.layout.bits == 8:
            return result
        scaled = result.astype(np.float32) / np.float32(255) if result.dtype == np.uint8 else result
        return to_codes(scaled * np.float32(self._most * self._deeper), self.layout.bits)

    def _network(self, samples: Any) -> Any:
        return self.plan.rows(ArrayRows(samples, self.plan.source)).rows(0, self.height)

    @property
    def _most(self) -> int:
        return 2**self._given.bits - 1

    @property
    def _deeper(self) -> float:
        """Codes of the result for each of the source."""
        given, wanted = self._given.bits, self.layout.bits
        return (
            (2**wanted - 1) / self._most
            if self._source.colours.is_full or self._given.is_rgb
            else 2.0 ** (wanted - given)
        )

    def _floats(self, plane: Plane) -> Floats:
        return _floats(plane, self._given.bits)

    def _moved(self, plane: Plane) -> Plane:
        """Chroma at the result's size and siting."""
        moved = _resampled(plane.astype(np.float32), self._chroma, self._result, self._chroma_size, self._scales)
        return to_codes(moved * np.float32(self._deeper), self.layout.bits)

    def _alpha(self, plane: Plane) -> Plane:
        moved = _resampled(self._floats(plane), _WHOLE, _WHOLE, (self.height, self.width), self._scales)
        return to_codes(moved * np.float32(2**self.layout.bits - 1), self.layout.bits)

    def _from_rgb(self, rgb: Any) -> list[Plane]:
        rgb = rgb.astype(np.float32) / np.float32(255) if rgb.dtype == np.uint8 else rgb
        bits = self.layout.bits
        if self.layout.is_rgb:
            codes = to_codes(rgb * np.float32(2**bits - 1), bits)
            return [np.ascontiguousarray(codes[..., k]) for k in (1, 2, 0)]
        planes: list[Plane] = []
        for k, values in enumerate(to_ycc(rgb, self._colours.weights(self._source.height))):
            zero, one = span(bits, self._colours.is_full, chroma=k > 0)
            if k:
                values = _resampled(values, _WHOLE, self._result, self._chroma_size)
            planes.append(to_codes(values * np.float32(one) + np.float32(zero), bits))
        return planes


def rgb_image(planes: list[Plane], source: Source) -> Floats:
    """A frame as R'G'B', H W 3 in [0, 1]: chroma enlarged by bicubic at its siting, then the exact matrix."""
    given, is_full = source.layout, source.colours.is_full
    if given.is_rgb:
        green, blue, red = (_floats(plane, given.bits) for plane in planes[:3])
        return np.stack([red, green, blue], axis=-1)
    y = _unit(planes[0].astype(np.float32), span(given.bits, is_full, chroma=False))
    if given.is_gray:
        return np.clip(np.stack([y, y, y], axis=-1), 0, 1)
    grid = tuple(map(Grid.of, given.sub, source.centred))
    cb, cr = (
        _unit(_resampled(plane.astype(np.float32), grid, _WHOLE, y.shape), span(given.bits, is_full, chroma=True))
        for plane in planes[1:3]
    )
    return np.clip(to_rgb(y, cb, cr, source.colours.weights(source.height)), 0, 1)


def _unit(codes: Floats, span: tuple[float, float]) -> Floats:
    return (codes - np.float32(span[0])) / np.float32(span[1])


def _floats(plane: Plane, bits: int) -> Floats:
    return plane.astype(np.float32) / np.float32(2**bits - 1)


def _resampled(
    plane: Floats,
    given: tuple[Grid, ...],
    to: tuple[Grid, ...],
    size: tuple[int, ...],
    scales: tuple[float, float] = (1.0, 1.0),
) -> Floats:
    """H W from samples at one grid to the height and width `size` at another, the image being enlarged by `scales`."""
    if given == to and plane.shape == tuple(size):
        return plane
    down, across = (
        grid.taps(length, wanted, scale, other)
        for grid, length, wanted, scale, other in zip(given, plane.shape, size, scales, to, strict=True)
    )
    return along_rows(along_columns(plane[..., None], across), down)[..., 0]

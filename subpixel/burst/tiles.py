"""The result in tiles, each computed from what the frames show of it and a margin around."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from subpixel.burst.alignment import Aligned
from subpixel.burst.posterior import Optics, map_estimate, prior_deviation
from subpixel.burst.sampling import Samples, blurred
from subpixel.images import Floats, dequantise
from subpixel.inference.rows import ArrayRows, Rows

_SIDE = 320
"""Fine pixels along a tile."""


@dataclass(frozen=True)
class Tile:
    """Fine pixels from (top, left), with a margin on each side."""

    top: int
    left: int
    height: int
    width: int
    margin: int

    @property
    def shape(self) -> tuple[int, int]:
        """With the margin."""
        return self.height + 2 * self.margin, self.width + 2 * self.margin

    @property
    def inner(self) -> tuple[slice, slice]:
        """Itself within its margin."""
        m = self.margin
        return slice(m, m + self.height), slice(m, m + self.width)


@dataclass(frozen=True, eq=False)
class Scene:
    """Frames laid on the first of them, their PSF in pixels and noise in [0, 1], and the first one enlarged."""

    frames: tuple[Aligned, ...]
    scale: float
    psf: float
    noise: float
    prior: Rows

    @cached_property
    def optics(self) -> Optics:
        """The blur and the noise that the fusion reckons with, in pixels of the result."""
        return Optics(self.psf * self.scale, self.noise)

    @property
    def margin(self) -> int:
        """Fine pixels beyond which nothing reaches: the PSF twice, there and back."""
        return 8 + math.ceil(4 * self.optics.sigma)

    def bands(self, fused: bool) -> Iterator[tuple[Floats, Floats]]:
        """Rows (n, W, C) from top to bottom with their uncertainty (n, W); not fused: the first frame enlarged."""
        for parts in self._bands(self.frames if fused else ()):
            inner = [(fine[:, *tile.inner], deviation[tile.inner]) for tile, fine, deviation in parts]
            fine, deviation = (np.concatenate(each, axis=-1) for each in zip(*inner, strict=True))
            yield np.ascontiguousarray(np.clip(fine, 0, 1).transpose(1, 2, 0)), deviation

    def cleaned_bands(self) -> Iterator[tuple[Floats, Floats]]:
        """As `bands`: the first frame as the fused image says that it is, without noise."""
        for parts in self._bands(self.frames, seen=True):
            shown = [self._shown(tile, np.stack([*fine, deviation])) for tile, fine, deviation in parts]
            rows = np.concatenate(shown, axis=1)
            yield np.clip(rows[..., :-1], 0, 1), rows[..., -1]

    def cleaned(self, on_progress: Callable[[str], object] | None = None) -> Rows:
        """The same, whole."""
        shape = replace(self.frames[0].frame.shape, dtype="float32")
        values, done = np.empty((shape.height, shape.width, shape.channels), np.float32), 0
        for rows, _ in self.cleaned_bands():
            values[done : done + len(rows)] = rows
            done += len(rows)
            if on_progress:
                on_progress(f"{round(done * self.scale)} of {self.prior.shape.height} rows for the first time")
        return ArrayRows(values, shape)

    def _bands(self, frames: tuple[Aligned, ...], seen: bool = False) -> Iterator[list[tuple[Tile, Floats, Floats]]]:
        """Each band's tiles, `solved`, with their margins."""
        shape = self.prior.shape
        for top in range(0, shape.height, _SIDE):
            height = min(_SIDE, shape.height - top)
            tiles = [
                Tile(top, left, height, min(_SIDE, shape.width - left), self.margin)
                for left in range(0, shape.width, _SIDE)
            ]
            rows = self.prior_rows(top - self.margin, top + height + self.margin)
            yield [(tile, *self.solved(tile, _cut(rows, tile), frames, seen)) for tile in tiles]

    def _own(self, tile: Tile) -> tuple[slice, slice]:
        """The pixels of the first frame whose middles lie in a tile."""
        sides = (tile.top, tile.height), (tile.left, tile.width)
        (top, bottom), (left, right) = (
            (math.ceil(at / self.scale - 0.5), math.ceil((at + length) / self.scale - 0.5)) for at, length in sides
        )
        return slice(top, bottom), slice(left, right)

    def _shown(self, tile: Tile, fine: Floats) -> Floats:
        """(H, W, C): what the first frame's own pixels are of a fine tile (C, H, W) with its margin."""
        y, x = ((place + 0.5) * self.scale - 0.5 for place in np.mgrid[self._own(tile)].astype(np.float64))
        u, v = (x - tile.left + tile.margin).ravel(), (y - tile.top + tile.margin).ravel()
        samples = Samples.at(tile.shape, u, v, np.empty((0, u.size), np.float32))
        seen = samples.predicted(blurred(fine, self.optics.blur).reshape(len(fine), -1))
        return seen.reshape(len(fine), *x.shape).transpose(1, 2, 0)

    def solved(
        self, tile: Tile, prior: Floats, frames: tuple[Aligned, ...], seen: bool = False
    ) -> tuple[Floats, Floats]:
        """The fine tile (C, H, W) with its margin, and the deviation (H, W) of its error, from some of the frames.

        seen: see `map_estimate`.
        """
        samples = self.samples(tile, frames) if frames else None
        if samples is None or not len(samples.first):
            return prior, prior_deviation(prior)
        return map_estimate(prior, samples, self.optics, seen)

    def prior_rows(self, top: int, bottom: int) -> Floats:
        """The enlargement as (C, bottom - top, W); beyond the image its border goes on."""
        height = self.prior.shape.height
        rows = self.prior.rows(max(0, top), min(bottom, height))
        padded = np.pad(rows, ((max(0, -top), max(0, bottom - height)), (0, 0), (0, 0)), mode="edge")
        return np.ascontiguousarray(padded.transpose(2, 0, 1))

    def prior_of(self, tile: Tile) -> Floats:
        """The enlargement of a tile with its margin, (C, H, W)."""
        return _cut(self.prior_rows(tile.top - tile.margin, tile.top + tile.height + tile.margin), tile)

    def samples(self, tile: Tile, frames: tuple[Aligned, ...]) -> Samples:
        """What the frames show of a tile, but for what moved or is cut off; a frame with less noise counts more."""
        parts = [self._seen(tile, aligned) for aligned in frames]
        x, y, values = (np.concatenate(each, axis=-1) for each in zip(*parts, strict=True))
        counts = [np.full(len(part[0]), self.noise / each.noise) for part, each in zip(parts, frames, strict=True)]
        return Samples.at(tile.shape, x, y, values).times(np.concatenate(counts).astype(np.float32))

    def _seen(self, tile: Tile, aligned: Aligned) -> tuple[NDArray[np.float64], NDArray[np.float64], Floats]:
        """Places of pixels in the tile with its margin, (n,) and (n,), and their values (C, n)."""
        top, left = tile.top - tile.margin, tile.left - tile.margin
        rows, columns = self._window(tile, aligned)
        y, x = (axis.ravel() for axis in np.mgrid[rows, columns].astype(np.float64))
        u, v = ((place + 0.5) * self.scale - 0.5 for place in aligned.motion(x, y))
        u, v = u - left, v - top
        height, width = tile.shape
        kept = (u >= 2) & (v >= 2) & (u < width - 3) & (v < height - 3) & aligned.tells(rows, columns).ravel()
        levels = aligned.frame.levels[rows, columns]
        values = (
            dequantise(levels.reshape(-1, levels.shape[2])[kept]).T * aligned.gain[:, None] + aligned.offset[:, None]
        )
        return u[kept], v[kept], np.ascontiguousarray(values, np.float32)

    def _window(self, tile: Tile, aligned: Aligned) -> tuple[slice, slice]:
        """The part of a frame in which the tile lies."""
        height, width = tile.shape
        top, left = tile.top - tile.margin, tile.left - tile.margin
        y = np.array([top, top, top + height, top + height]) / self.scale
        x = np.array([left, left + width, left, left + width]) / self.scale
        u, v = aligned.motion.back(x, y)
        spare = 2 + int(np.abs(aligned.motion.wobble).max())
        sides = zip((v, u), aligned.moved.shape, strict=True)
        low_high = [
            (int(np.clip(places.min() - spare, 0, side)), int(np.clip(places.max() + spare, 0, side)))
            for places, side in sides
        ]
        return slice(*low_high[0]), slice(*low_high[1])

    def unexplained(self, tile: Tile, fine: Floats, aligned: Aligned) -> Floats:
        """What a fine tile (C, H, W) does not explain of a frame's pixels inside it, (C, n)."""
        bare = Tile(tile.top + 4, tile.left + 4, tile.height - 8, tile.width - 8, 0)
        samples = self.samples(bare, (aligned,))
        cut = blurred(fine, self.optics.blur)[:, tile.inner[0], tile.inner[1]][:, 4:-4, 4:-4]
        return samples.values - samples.predicted(cut.reshape(len(fine), -1))


def _cut(rows: Floats, tile: Tile) -> Floats:
    """A tile with its margin out of (C, height with margin, W); beyond the image its border goes on."""
    left, right = tile.left - tile.margin, tile.left + tile.width + tile.margin
    width = rows.shape[2]
    part = rows[:, :, max(0, left) : min(right, width)]
    return np.pad(part, ((0, 0), (0, 0), (max(0, -left), max(0, right - width))), mode="edge")

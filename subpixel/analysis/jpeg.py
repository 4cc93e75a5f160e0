"""Traces of JPEG in pixels: the lattice that quantisation leaves in the DCT of 8x8 blocks.

The coefficients of a decoded file lie at whole multiples of the steps of its table, blurred by the rounding to 8 bit.
Elsewhere, and on every other phase of the grid, they lie anywhere. (Fan and de Queiroz 2003, "Identification of bitmap
compression history: JPEG detection and quantizer estimation", IEEE TIP 12(2), maximise the likelihood of such a
lattice; the tables are those of Annex K of ITU-T T.81, scaled as the library of the Independent JPEG Group does.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis.windows import clipped, luma
from subpixel.images import Floats

_ANNEX_K = np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
    87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
])  # fmt: skip
STEPS = 128
"""The largest step that is looked for."""
_BINS, _BIN = 2048, 0.25  # a histogram of |coefficient| up to 512
_ROUNDING = 0.36  # levels: of Y in the decoder, then of R, G and B
_OUTLIERS = 0.03  # coefficients that clipping moved off the lattice
_SEARCHED, _FITTED = 800, 5000  # blocks, at most: on each of the 64 phases, and on the best ones
_CANDIDATES = 3
_FEWEST = 16  # pieces with something to tell
_STRONGER = 5  # qualities that an earlier file must lie below the last
_CHOICE = 10.0  # nats that a step must bring which is chosen for one frequency alone
_EVIDENCE = 60.0  # nats


@dataclass(frozen=True)
class Grid:
    """A lattice that was found."""

    quality: int
    """1 to 100, as the library of the Independent JPEG Group counts."""
    phase: tuple[int, int]
    """Row and column of the first whole block, 0 to 7."""
    evidence: float
    """Log-likelihood ratio to pixels that were never compressed, in nats."""

    @property
    def confidence(self) -> float:
        """How likely the quality is right to 1: with less than 100 nats, few blocks have anything to tell."""
        return 1 - math.exp(-self.evidence / 30)


def table(quality: int) -> NDArray[np.int64]:
    """The 64 luma steps of a quality from 1 to 100, row by row."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((_ANNEX_K * scale + 50) // 100, 1, 255)


@cache
def tables() -> NDArray[np.int64]:
    """`table` of the qualities 1 to 100, (100, 64)."""
    return np.stack([table(quality) for quality in range(1, 101)])


def quality_of(steps: NDArray[Any], weights: NDArray[Any] | float = 1.0) -> int:
    """The quality whose table is nearest to these 64 steps, by the mean of |log ratio|."""
    distance = np.abs(np.log(np.maximum(steps, 1) / tables())) * weights
    return int(distance.sum(axis=1).argmin()) + 1


class Traces:
    """What N H W C in levels 0..255 tells of grids, worked out once for all of them."""

    def __init__(self, levels: Floats) -> None:
        self.plane = luma(levels)
        self.spoiled = clipped(levels)
        """Where a channel is clipped, which moves coefficients off their lattice."""

    @cached_property
    def usable(self) -> NDArray[np.int64]:
        """The pieces with something to tell."""
        return np.flatnonzero((self._pieces.std(axis=(1, 2)) > 1) & ~_pieces(self.spoiled).any(axis=(1, 2)))

    @cached_property
    def high(self) -> Floats:
        """(pieces, 8, 8, n): the sizes of the coefficients of high frequency on each phase."""
        chosen = self._pieces[self.usable[:: max(1, -(-len(self.usable) // _SEARCHED))]]
        phases = np.lib.stride_tricks.sliding_window_view(chosen, (8, 8), axis=(1, 2))
        sizes = np.abs(phases.reshape(-1, 64) @ dct()[:, _diagonal() >= 4])
        return sizes.reshape(len(chosen), 8, 8, -1)

    @cached_property
    def _pieces(self) -> Floats:
        return _pieces(self.plane)


def find_grid(traces: Traces) -> Grid | None:
    """The grid of the last JPEG file that an image was, or None."""
    return _search(traces, _ROUNDING)


def can_tell(traces: Traces) -> bool:
    """Whether there is enough in an image for a grid to be seen: no blank page, nor one of pure black and white."""
    return min(traces.plane.shape[1:]) >= 24 and len(traces.usable) >= _FEWEST


def find_earlier(traces: Traces, last: Grid) -> Grid | None:
    """A stronger compression before the last one, on another grid, blurred by what the last one rounded."""
    steps = table(last.quality)[_diagonal() <= 4]
    noise = round(float(np.hypot(_ROUNDING, np.sqrt((steps**2).mean() / 12))), 1)
    grid = _search(traces, noise, last.phase)
    return grid if grid and grid.quality < last.quality - _STRONGER else None


def _search(traces: Traces, noise: float, taken: tuple[int, int] | None = None) -> Grid | None:
    """The grid whose lattice, blurred by `noise` levels, explains the pixels best; not on the phase that is taken."""
    if min(traces.plane.shape[1:]) < 24:
        return None
    zeros = _near_zero(traces, 2 * noise)
    if taken is not None:
        zeros[taken] = -1
    likely = np.argsort(-zeros.ravel(), kind="stable")[:_CANDIDATES]
    grids = [_fit(traces, divmod(int(k), 8), noise) for k in likely]
    best = max(grids, key=lambda grid: grid.evidence)
    return best if best.evidence > _EVIDENCE else None


def _fit(traces: Traces, phase: tuple[int, int], noise: float) -> Grid:
    """The quality that explains the coefficients on a phase best."""
    clean = np.flatnonzero(~blocks(traces.spoiled, phase).any(axis=1))
    coefficients = blocks(traces.plane, phase)[clean[:: max(1, -(-len(clean) // _FITTED))]] @ dct()
    likelihood = _likelihood(coefficients, noise)
    steps = np.minimum(tables(), STEPS) - 1
    by_quality = likelihood[np.arange(1, 64), steps[:, 1:]].sum(axis=1)
    free = np.maximum(likelihood[1:].max(axis=1) - _CHOICE, 0)
    quality, evidence = int(by_quality.argmax()) + 1, float(by_quality.max())
    if evidence < 0.7 * free.sum():  # the table of another program
        steps = likelihood.argmax(axis=1) + 1
        quality, evidence = quality_of(steps, np.append(0, free)), float(free.sum())
    return Grid(quality, phase, evidence)


def _likelihood(coefficients: Floats, noise: float) -> Floats:
    """(64, STEPS): for each frequency and step, the log-likelihood ratio of the lattice to a smooth density."""
    bins = np.minimum((np.abs(coefficients) / _BIN + 0.5).astype(np.int64), _BINS - 1)
    counts = np.bincount((bins + np.arange(64) * _BINS).ravel(), minlength=64 * _BINS)
    return counts.reshape(64, _BINS).astype(np.float32) @ _ratios(noise)


def _diagonal() -> NDArray[np.int64]:
    """The sum of the two frequencies of each of the 64 coefficients."""
    return np.add.outer(np.arange(8), np.arange(8)).ravel()


@lru_cache(8)
def _ratios(noise: float) -> Floats:
    """(bins, STEPS): log(q N(distance to the lattice; noise)); 0 in the cell around 0, where everything is near."""
    value = np.arange(_BINS)[:, None] * _BIN
    step = np.arange(1, STEPS + 1)
    nearest = np.round(value / step)
    density = step * np.exp(-0.5 * ((value - nearest * step) / noise) ** 2) / (noise * np.sqrt(2 * np.pi))
    ratio = np.log(_OUTLIERS + (1 - _OUTLIERS) * density)
    return np.where((nearest > 0) & (value < _BINS * _BIN - 1), ratio, 0).astype(np.float32)


def _near_zero(traces: Traces, limit: float) -> NDArray[np.float64]:
    """(8, 8): the share of coefficients of high frequency that are zero but for rounding (`limit`), on each phase.

    On its own phase a grid has set most of them to zero; on others they are there.
    """
    if not len(traces.usable):
        return np.zeros((8, 8))
    return (traces.high < limit).mean(axis=3).mean(axis=0)


def _pieces(plane: NDArray[Any]) -> NDArray[Any]:
    """Pieces of 15 x 15 pixels, which hold a block on each phase."""
    return np.lib.stride_tricks.sliding_window_view(plane, (15, 15), axis=(1, 2))[:, ::8, ::8].reshape(-1, 15, 15)


def blocks(plane: NDArray[Any], phase: tuple[int, int]) -> NDArray[Any]:
    """N H W -> blocks of 8x8 from a phase (row and column) on, (blocks, 64)."""
    y, x = phase
    rows, columns = (plane.shape[1] - y) // 8, (plane.shape[2] - x) // 8
    cut = plane[:, y : y + 8 * rows, x : x + 8 * columns].reshape(len(plane), rows, 8, columns, 8)
    return cut.transpose(0, 1, 3, 2, 4).reshape(-1, 64)


@cache
def dct() -> Floats:
    """(64, 64): a block, row by row, times this gives its orthonormal DCT-II, row by row."""
    n = np.arange(8)
    one = np.cos((2 * n[:, None] + 1) * n * np.pi / 16) * np.where(n == 0, np.sqrt(1 / 8), 0.5)
    return np.kron(one, one).astype(np.float32)

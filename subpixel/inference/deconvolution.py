"""A known Gaussian blur undone before the networks, which were trained on sharp images: Wiener's filter, as rows.

With power N of the noise and S of the image, the frequencies f of a blurred image are multiplied by G / (G^2 + N / S),
where G = exp(-2 pi^2 f' C f) for a blur of covariance C. The power of photos falls with the square of the frequency
(Field 1987), so N / S = c |f|^2.
Source: for a filter before a network, Hussein, Tirer and Giryes, Correction Filter for Single Image Super-Resolution,
CVPR 2020.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from subpixel.images import Floats
from subpixel.inference.rows import UNIT, Rows
from subpixel.resample import Taps, along_columns, along_rows, mirrored

Covariance = tuple[float, float, float]
"""xx, yy and xy of a blur in px^2; x runs to the right, y up."""

NOISE = 0.01
"""c above. Rounding to 8 bits is a tenth of it; the rest is what aliases and what is not quite Gaussian."""
REACH = 20
"""Pixels on each side that the filter sees."""
_GRID = 128  # frequencies along an axis: the filter has died away before it wraps around
_NEGLIGIBLE = 1e-3  # of a separable part, against the largest
_BLOCK = 64  # rows that are computed at a time, at places of their own: so any band has the same bits


class DeblurredRows:
    """Rows of which a blur is undone, clipped to the limits: floats, without alpha."""

    def __init__(self, source: Rows, blur: Covariance, limits: tuple[float, float] = UNIT) -> None:
        self.shape = replace(source.shape, dtype="float32")
        self._source, self._limits = source, limits
        self._parts = _parts(blur, self.shape.height, self.shape.width)

    def rows(self, y0: int, y1: int) -> Floats:
        first = y0 // _BLOCK * _BLOCK
        blocks = [self._block(y, min(y + _BLOCK, self.shape.height)) for y in range(first, y1, _BLOCK)]
        return np.concatenate(blocks)[y0 - first : y1 - first]

    def _block(self, top: int, bottom: int) -> Floats:
        low, high = max(0, top - REACH), min(self.shape.height, bottom + REACH)
        band = self._source.rows(low, high)
        pairs = [(down.between(top, bottom), across) for down, across in self._parts]
        total = np.sum([along_columns(along_rows(band, down, low), across) for down, across in pairs], axis=0)
        return np.clip(total, *self._limits)


def wiener(blur: Covariance) -> NDArray[np.float64]:
    """The filter, (2 REACH + 1) squared, of sum 1."""
    fy, fx = np.fft.fftfreq(_GRID)[:, None], np.fft.fftfreq(_GRID)
    xx, yy, xy = blur  # rows run down, y runs up
    transfer = np.exp(-2 * np.pi**2 * (xx * fx * fx + yy * fy * fy - 2 * xy * fx * fy))
    response = np.fft.ifft2(transfer / (transfer**2 + NOISE * (fx * fx + fy * fy))).real
    near = np.arange(-REACH, REACH + 1)
    kernel = response[np.ix_(near, near)]
    return kernel / kernel.sum()


@lru_cache(maxsize=8)
def _parts(blur: Covariance, height: int, width: int) -> list[tuple[Taps, Taps]]:
    """The filter as a sum of separable ones, down and across, with mirrored borders; constants stay what they are."""
    down, sizes, across = np.linalg.svd(wiener(blur))
    count = int((sizes > _NEGLIGIBLE * sizes[0]).sum())
    pairs = [(down[:, k] * sizes[k], across[k]) for k in range(count)]
    total = sum(a.sum() * b.sum() for a, b in pairs)
    return [(_taps(a / total, height), _taps(b, width)) for a, b in pairs]


def _taps(weights: NDArray[np.float64], length: int) -> Taps:
    positions = np.arange(length)[:, None] + np.arange(-REACH, REACH + 1)
    return Taps(mirrored(positions, length), np.broadcast_to(weights, positions.shape))

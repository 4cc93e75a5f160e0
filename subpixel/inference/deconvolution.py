"""A known Gaussian blur undone before the networks, which were trained on sharp images: Wiener's filter, as rows."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from subpixel.deconvolution import REACH, Covariance, wiener
from subpixel.images import Floats
from subpixel.inference.rows import UNIT, Rows
from subpixel.resample import Taps, along_columns, along_rows, mirrored

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

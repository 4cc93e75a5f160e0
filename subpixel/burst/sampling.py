"""What the pixels of many frames are of one fine image: each a sum over the 4 x 4 fine pixels around its place.

A pixel of a frame sees the scene through a Gaussian point spread function (PSF). It is split in two, whose variances
add: a blur of the whole fine image, and a small Gaussian of REACH around each place, which so interpolates exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.burst.motion import gathered
from subpixel.images import Floats

REACH = 0.55
"""Standard deviation in fine pixels of the part that interpolates: a smaller one would be too narrow to be sampled."""
_TAPS = 4
_PAIRS = [(i, j) for i in range(_TAPS**2) for j in range(i, _TAPS**2)]


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixels of frames, of which each lies somewhere on a tile (height, width) of the fine image.

    first: (n,) the flat index of the upper left of its 16 fine pixels. weights: (16, n), each summing to 1, or to
    what its pixel counts. values: (C, n).
    """

    shape: tuple[int, int]
    first: NDArray[np.intp]
    weights: Floats
    values: Floats

    @classmethod
    def at(cls, shape: tuple[int, int], x: NDArray[Any], y: NDArray[Any], values: Floats) -> Samples:
        """Pixels at columns x and rows y (n,) of the tile, none nearer than 2 to its border."""
        left, top = np.floor(x).astype(np.intp) - 1, np.floor(y).astype(np.intp) - 1
        across, down = _gaussian(x - left), _gaussian(y - top)
        weights = (down[:, None] * across[None]).reshape(_TAPS**2, -1)
        return cls(shape, top * shape[1] + left, weights, values)

    def times(self, factors: Floats) -> Samples:
        """Each pixel's equation times a factor (n,), by which it counts."""
        return replace(self, weights=self.weights * factors, values=self.values * factors)

    def of(self, chosen: NDArray[np.bool_]) -> Samples:
        """Some of the pixels."""
        return replace(self, first=self.first[chosen], weights=self.weights[:, chosen], values=self.values[:, chosen])

    @cached_property
    def offsets(self) -> NDArray[np.intp]:
        """Where the 16 fine pixels lie, from the first on."""
        return (np.arange(_TAPS)[:, None] * self.shape[1] + np.arange(_TAPS)).ravel()

    def predicted(self, fine: Floats) -> Floats:
        """(C, height * width), blurred already -> (C, n): S of y = S B x."""
        out = np.zeros((len(fine), len(self.first)), np.float32)
        for offset, weight in zip(self.offsets, self.weights, strict=True):
            out += gathered(fine, self.first + offset) * weight
        return out

    def spread(self, values: Floats) -> Floats:
        """(C, n) -> (C, height * width): the transpose of `predicted`."""
        size = self.shape[0] * self.shape[1]
        out = np.zeros((len(values), size))
        for offset, weight in zip(self.offsets, self.weights, strict=True):
            for plane, value in zip(out, values, strict=True):
                plane += np.bincount(self.first + offset, weight * value, size)
        return out.astype(np.float32)

    def normal(self, trust: Floats) -> dict[int, Floats]:
        """The symmetric band matrix S' W S with W = diag(trust), as its diagonals from the main one (0) upwards."""
        size = self.shape[0] * self.shape[1]
        trusted = self.weights * trust
        bands: dict[int, NDArray[np.float64]] = {}
        for i, j in _PAIRS:
            diagonal = int(self.offsets[j] - self.offsets[i])
            band = bands.setdefault(diagonal, np.zeros(size))
            band += np.bincount(self.first + self.offsets[i], trusted[i] * self.weights[j], size)
        return {diagonal: band.astype(np.float32) for diagonal, band in bands.items()}


def multiplied(bands: dict[int, Floats], fine: Floats) -> Floats:
    """A symmetric band matrix times each plane of (C, height * width)."""
    out = bands[0] * fine
    for diagonal, band in bands.items():
        if diagonal:
            out[:, :-diagonal] += band[:-diagonal] * fine[:, diagonal:]
            out[:, diagonal:] += band[:-diagonal] * fine[:, :-diagonal]
    return out


def blurred(fine: Floats, sigma: float) -> Floats:
    """(C, H, W) blurred by a Gaussian; beyond the border lie zeros, so that the blur is its own transpose."""
    if sigma <= 0:
        return fine
    kernel = np.exp(-(np.arange(int(3.5 * sigma) + 2) ** 2) / (2 * sigma**2)).astype(np.float32)
    kernel /= kernel[0] + 2 * kernel[1:].sum()
    for axis in (1, 2):
        fine = _along(np.moveaxis(fine, axis, -1), kernel, axis)
    return np.ascontiguousarray(fine)


def _along(lines: Floats, kernel: Floats, axis: int) -> Floats:
    out = lines * kernel[0]
    for k, weight in enumerate(kernel[1 : lines.shape[-1]], 1):
        out[..., k:] += weight * lines[..., :-k]
        out[..., :-k] += weight * lines[..., k:]
    return np.moveaxis(out, -1, axis)


def _gaussian(distances: NDArray[Any]) -> Floats:
    """(n,) distances from the first of four pixels -> (4, n) weights."""
    weights = np.exp(-((distances - np.arange(_TAPS)[:, None]) ** 2) / (2 * REACH**2))
    return (weights / weights.sum(axis=0)).astype(np.float32)

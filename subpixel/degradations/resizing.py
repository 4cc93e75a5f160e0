"""Smaller images: the step that makes the low resolution, and resizing on the way to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel import resample
from subpixel.degradations.degradation import IDENTITY, Degradation, Floats, Rng
from subpixel.degradations.labels import Traces
from subpixel.errors import BadRequest
from subpixel.images.samples import dequantise, quantise

Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos", "area"]


@dataclass(frozen=True)
class Downsample(Degradation):
    """Low resolution: ceil(size / scale) pixels of the image that came in, whatever `after` made of it.

    With the defaults this is the benchmarks', bit by bit: MATLAB's imresize(image, 1 / scale) of uint8.
    """

    scale: int
    kernel: Kernel = "bicubic"
    """Antialiased, except "nearest"; "area" is the mean over the area that a new pixel covers."""
    round8: bool = True
    """Work on 8-bit levels, as the files of the benchmarks do; False: in float, clipped."""
    after: Degradation = IDENTITY
    """What happens at high resolution before it: blur, noise, resizing."""

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise BadRequest(f"scale is {self.scale}; expected a whole number from 1")

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        height, width = (math.ceil(n / self.scale) for n in pixels.shape[:2])
        return resized(self.after.apply(pixels, rng), height, width, self.kernel, self.round8)

    def sample(self, rng: Rng) -> Degradation:
        return Downsample(self.scale, self.kernel, self.round8, self.after.sample(rng))

    def trace(self, traces: Traces) -> Traces:
        before = self.after.trace(traces)
        return before.resized(traces.factor / self.scale / before.factor, self.kernel)


@dataclass(frozen=True)
class Resize(Degradation):
    """Another size in between: both sides times `factor`, at least one pixel; in float, clipped."""

    factor: float
    kernel: Kernel = "bicubic"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise BadRequest(f"factor is {self.factor}; expected a number above 0")

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        height, width = (max(1, round(n * self.factor)) for n in pixels.shape[:2])
        return resized(pixels, height, width, self.kernel, round8=False)

    def trace(self, traces: Traces) -> Traces:
        return traces.resized(self.factor, self.kernel)


def resized(pixels: Floats, height: int, width: int, kernel: Kernel, round8: bool) -> Floats:
    """H W C float32 in [0, 1] -> height width C, the same kind; with round8 in multiples of 1/255."""
    if not round8:
        return np.clip(_along_both(pixels, height, width, kernel), 0, 1)
    levels = quantise(pixels, 8)
    if kernel == "area":  # rounded once, half up
        means = _along_both(levels.astype(np.float64), height, width, kernel)
        return dequantise(np.floor(means + 0.5).astype(np.uint8))
    return dequantise(resample.resize(levels, height, width, kernel))


def _along_both(pixels: NDArray[Any], height: int, width: int, kernel: Kernel) -> NDArray[Any]:
    rows, columns = _taps(pixels.shape[0], height, kernel), _taps(pixels.shape[1], width, kernel)
    return resample.along_columns(resample.along_rows(pixels, rows), columns)


@lru_cache(512)
def _taps(length: int, target: int, kernel: Kernel) -> resample.Taps:
    """Kept, for a training resizes thousands of crops of one size."""
    return _coverage(length, target) if kernel == "area" else resample.taps(length, target, kernel)


def _coverage(length: int, target: int) -> resample.Taps:
    """How much of each old pixel lies in each new one."""
    edges = np.arange(target + 1) * (length / target)
    left, right = edges[:-1, None], edges[1:, None]
    positions = np.floor(left).astype(np.int64) + np.arange(math.ceil(length / target) + 1)
    overlap = np.clip(np.minimum(positions + 1, right) - np.maximum(positions, left), 0, None)
    return resample.Taps(np.minimum(positions, length - 1), overlap / overlap.sum(axis=1, keepdims=True))

"""Smaller images: the step that makes the low resolution, and resizing on the way to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel import resample
from subpixel.degradations.degradation import IDENTITY, Degradation, Floats, Rng, combined
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

    def vector(self) -> dict[str, float]:
        before = self.after.vector()
        return combined(before, {"factor": 1 / self.scale / before.get("factor", 1.0)})


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

    def vector(self) -> dict[str, float]:
        return {"factor": float(self.factor)}


def resized(pixels: Floats, height: int, width: int, kernel: Kernel, round8: bool) -> Floats:
    """H W C float32 in [0, 1] -> height width C, the same kind; with round8 in multiples of 1/255."""
    if round8:
        levels = quantise(pixels, 8)
        low = _area(levels, height, width) if kernel == "area" else resample.resize(levels, height, width, kernel)
        return dequantise(low)
    if kernel == "area":
        return _area(pixels, height, width)
    return np.clip(resample.resize(pixels, height, width, kernel), 0, 1)


def _area(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """The mean over the area of every new pixel, of the same type; uint8 is rounded once, half up."""
    values = resample.along_rows(pixels.astype(np.float64), _coverage(pixels.shape[0], height))
    values = resample.along_columns(values, _coverage(pixels.shape[1], width))
    return (np.floor(values + 0.5) if pixels.dtype == np.uint8 else values).astype(pixels.dtype)


def _coverage(length: int, target: int) -> resample.Taps:
    """How much of each old pixel lies in each new one."""
    edges = np.arange(target + 1) * (length / target)
    left, right = edges[:-1, None], edges[1:, None]
    positions = np.floor(left).astype(np.int64) + np.arange(math.ceil(length / target) + 1)
    overlap = np.clip(np.minimum(positions + 1, right) - np.maximum(positions, left), 0, None)
    return resample.Taps(np.minimum(positions, length - 1), overlap / overlap.sum(axis=1, keepdims=True))

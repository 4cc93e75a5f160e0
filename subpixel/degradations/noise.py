"""Noise, of which `sigma` is always the standard deviation at a pixel of value 1."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.degradations.labels import Noise, Traces
from subpixel.errors import BadRequest

LUMA = 0.299**2 + 0.587**2 + 0.114**2
"""The variance of Y where R, G and B have independent noise of variance 1."""
CHROMA = ((1 - 2 * 0.114 + LUMA) / 1.772**2 + (1 - 2 * 0.299 + LUMA) / 1.402**2) / 2
"""The mean of the variances of Cb = (B - Y) / 1.772 and Cr = (R - Y) / 1.402 then."""


@dataclass(frozen=True)
class _Noise(Degradation):
    shot: ClassVar[float] = 1.0
    """Whether the variance grows with the pixel's value."""
    sigma: float
    """Standard deviation at a pixel of value 1, in units of the range [0, 1] (a level of 8 bit is 1/255)."""
    gray: bool = False
    """The same noise in every channel."""

    def __post_init__(self) -> None:
        if not 0 <= self.sigma < math.inf:
            raise BadRequest(f"sigma is {self.sigma}; expected a number from 0")

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        if self.sigma == 0:
            return pixels
        clean = pixels.mean(axis=2, keepdims=True) if self.gray else pixels
        return np.clip(pixels + self._noise(clean, rng), 0, 1)

    def trace(self, traces: Traces) -> Traces:
        luma, chroma = (1.0, 0.0) if self.gray or traces.gray else (LUMA, CHROMA)
        noise = Noise(luma * self.sigma**2, chroma * self.sigma**2, self.shot)
        return replace(traces, noises=(*traces.noises, noise))

    @abstractmethod
    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        """What is added to an image: float32 of the same shape, with mean 0."""


@dataclass(frozen=True)
class GaussianNoise(_Noise):
    """The noise of amplifiers: variance sigma^2 everywhere."""

    shot: ClassVar[float] = 0.0

    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        return np.float32(self.sigma) * rng.standard_normal(clean.shape, np.float32)


@dataclass(frozen=True)
class PoissonNoise(_Noise):
    """The noise of light itself: variance sigma^2 x, as if a pixel of value 1 were 1 / sigma^2 photons."""

    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        photons = np.float32(1 / self.sigma**2)
        return _poisson(clean * photons, rng) / photons - clean


@dataclass(frozen=True)
class SpeckleNoise(_Noise):
    """Multiplied noise, as of radar and ultrasound: variance sigma^2 x^2."""

    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        return np.float32(self.sigma) * clean * rng.standard_normal(clean.shape, np.float32)


_FEW = 3.0
"""Photons below which Poisson's distribution is sampled as it is."""


def _poisson(expected: Floats, rng: Rng) -> Floats:
    """Photons that arrived where so many are expected; whole numbers, several times as fast as numpy's.

    A normal variable z becomes l + sqrt(l) z + (z^2 - 1) / 6, which has Poisson's mean, variance and skewness
    (Cornish and Fisher 1938); the variance that rounding and the square add is taken off beforehand.
    """
    z = rng.standard_normal(expected.shape, np.float32)
    spread = np.sqrt(np.maximum(expected - np.float32(1 / 12 + 1 / 18), 0))
    counts = np.maximum(np.rint(expected + spread * z + (z * z - 1) / 6), 0)
    few = expected < _FEW
    counts[few] = rng.poisson(expected[few])
    return counts

"""Noise, of which `sigma` is always the standard deviation at a pixel of value 1."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.errors import BadRequest


@dataclass(frozen=True)
class _Noise(Degradation):
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

    def vector(self) -> dict[str, float]:
        return {"noise_sigma": float(self.sigma)}

    @abstractmethod
    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        """What is added to an image: float32 of the same shape, with mean 0."""


@dataclass(frozen=True)
class GaussianNoise(_Noise):
    """The noise of amplifiers: variance sigma^2 everywhere."""

    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        return np.float32(self.sigma) * rng.standard_normal(clean.shape, np.float32)


@dataclass(frozen=True)
class PoissonNoise(_Noise):
    """The noise of light itself: variance sigma^2 x, as if a pixel of value 1 were 1 / sigma^2 photons."""

    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        photons = 1 / self.sigma**2
        return (rng.poisson(clean * photons) / photons - clean).astype(np.float32)


@dataclass(frozen=True)
class SpeckleNoise(_Noise):
    """Multiplied noise, as of radar and ultrasound: variance sigma^2 x^2."""

    def _noise(self, clean: Floats, rng: Rng) -> Floats:
        return np.float32(self.sigma) * clean * rng.standard_normal(clean.shape, np.float32)

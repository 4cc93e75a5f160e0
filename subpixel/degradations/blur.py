"""Blur kernels, and the convolution with them."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.degradations.labels import Traces
from subpixel.errors import BadRequest

Kernel = NDArray[np.float64]
Profile = Literal["gaussian", "plateau"]


class Blur(Degradation):
    """A convolution; the border is mirrored with its edge pixel repeated."""

    @abstractmethod
    def kernel(self) -> Kernel:
        """Weights that sum to 1, an odd number of pixels a side; rows run down, columns to the right."""

    @cached_property
    def _kernel(self) -> Kernel:
        """Kept, for a crop is blurred with it and labelled by it."""
        return self.kernel()

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        return convolved(pixels, self._kernel)

    def trace(self, traces: Traces) -> Traces:
        kernel = self._kernel
        return traces.blurred(self.moments(kernel), float(1 / (kernel**2).sum()))

    def moments(self, kernel: Kernel) -> tuple[float, float, float]:
        """The second moments xx, yy and xy of its kernel, in px^2."""
        x, y = _grid(len(kernel))
        return float((kernel * x * x).sum()), float((kernel * y * y).sum()), float((kernel * x * y).sum())


@dataclass(frozen=True)
class GaussianBlur(Blur):
    """Isotropic, anisotropic and generalised Gaussian kernels, and flat-topped ones.

    With d^2 = (u / sigma)^2 + (v / sigma_y)^2 the weight is exp(-d^(2 beta) / 2), or for the plateau
    1 / (1 + d^(2 beta)) (Liu et al. 2020; Real-ESRGAN, Wang et al. 2021, section 3.1).
    """

    sigma: float
    """Standard deviation along `angle`, in pixels."""
    sigma_y: float = 0.0
    """Standard deviation across it; 0: the same, which makes the kernel isotropic."""
    angle: float = 0.0
    """Degrees, counter-clockwise from the right."""
    beta: float = 1.0
    """1: Gaussian; below: heavier tails; above: nearer to a disc."""
    profile: Profile = "gaussian"
    size: int = 21
    """Pixels along a side, odd."""

    def __post_init__(self) -> None:
        _positive("sigma", self.sigma)
        _positive("beta", self.beta)
        _odd(self.size)
        if not 0 <= self.sigma_y < math.inf:
            raise BadRequest(f"sigma_y is {self.sigma_y}; expected 0 or a number of pixels above")

    def kernel(self) -> Kernel:
        x, y = _grid(self.size)
        theta = math.radians(self.angle)
        u, v = x * math.cos(theta) + y * math.sin(theta), y * math.cos(theta) - x * math.sin(theta)
        power = ((u / self.sigma) ** 2 + (v / (self.sigma_y or self.sigma)) ** 2) ** self.beta
        return _normalised(np.exp(-power / 2) if self.profile == "gaussian" else 1 / (1 + power))


@dataclass(frozen=True)
class MotionBlur(Blur):
    """A straight movement while the shutter was open: the mean along a segment, laid down bilinearly."""

    length: float
    """Pixels."""
    angle: float = 0.0
    """Degrees, counter-clockwise from the right."""

    def __post_init__(self) -> None:
        _positive("length", self.length)

    def kernel(self) -> Kernel:
        samples = 16 * math.ceil(self.length)
        positions = ((np.arange(samples) + 0.5) / samples - 0.5) * self.length
        theta = math.radians(self.angle)
        x, y = _grid(2 * math.ceil(self.length / 2) + 3)
        weight_x = np.maximum(0, 1 - np.abs(x[..., None] - positions * math.cos(theta)))
        weight_y = np.maximum(0, 1 - np.abs(y[..., None] - positions * math.sin(theta)))
        return _normalised((weight_x * weight_y).sum(axis=-1))


@dataclass(frozen=True)
class SincBlur(Blur):
    """A circular low pass, which rings like over-sharpened and compressed images do.

    The weight at distance r is c J1(c r) / (2 pi r) (Real-ESRGAN, equation 6).
    """

    cutoff: float
    """Highest frequency that passes, in radians a pixel, up to pi."""
    size: int = 21
    """Pixels along a side, odd."""

    def __post_init__(self) -> None:
        _positive("cutoff", self.cutoff)
        _odd(self.size)

    def kernel(self) -> Kernel:
        x, y = _grid(self.size)
        squares, places = np.unique(x * x + y * y, return_inverse=True)
        r = np.sqrt(squares)
        jinc = _bessel1(self.cutoff * r) * self.cutoff / (2 * math.pi * np.maximum(r, 1))
        return _normalised(np.where(r > 0, jinc, self.cutoff**2 / (4 * math.pi))[places].reshape(x.shape))

    def moments(self, kernel: Kernel) -> tuple[float, float, float]:
        """None: those of a kernel that rings say nothing of its width."""
        return 0.0, 0.0, 0.0


def convolved(pixels: Floats, kernel: Kernel) -> Floats:
    """H W C float32 in [0, 1], each channel convolved with the kernel; the same size, clipped."""
    height, width = pixels.shape[:2]
    top, left = (n // 2 for n in kernel.shape)
    planes = np.pad(pixels.transpose(2, 0, 1), ((0, 0), (top, top), (left, left)), mode="symmetric")
    size = [_fast_length(n) for n in planes.shape[1:]]
    spectrum = np.fft.rfft2(planes, size) * np.fft.rfft2(kernel.astype(np.float32), size)
    inside = np.fft.irfft2(spectrum, size)[:, 2 * top : 2 * top + height, 2 * left : 2 * left + width]
    return np.ascontiguousarray(np.clip(inside, 0, 1).transpose(1, 2, 0), np.float32)


@cache
def _fast_length(least: int) -> int:
    """The next length without a prime factor above 5: with one, a Fourier transform takes several times as long."""
    rest = least
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    return least if rest == 1 else _fast_length(least + 1)


@lru_cache(64)
def _grid(size: int) -> tuple[Kernel, Kernel]:
    """Distances from the middle pixel: to the right, and up."""
    steps = np.arange(size, dtype=np.float64) - size // 2
    return np.broadcast_to(steps, (size, size)), np.broadcast_to(-steps[:, None], (size, size))


def _normalised(weights: Kernel) -> Kernel:
    return weights / weights.sum()


def _bessel1(x: Kernel) -> Kernel:
    """J1 by Bessel's integral, the mean of cos(t - x sin t) over 0..pi; exact to 1e-12 up to x = 50."""
    t = (np.arange(64) + 0.5) * (math.pi / 64)
    return np.cos(t - x[..., None] * np.sin(t)).mean(axis=-1)


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise BadRequest(f"{name} is {value}; expected a number above 0")


def _odd(size: int) -> None:
    if size < 1 or size % 2 == 0:
        raise BadRequest(f"size is {size}; expected an odd number of pixels")

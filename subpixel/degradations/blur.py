"""Blur kernels, and the convolution with them."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.errors import BadRequest

Kernel = NDArray[np.float64]
Profile = Literal["gaussian", "plateau"]


class Blur(Degradation):
    """A convolution; the border is mirrored with its edge pixel repeated."""

    @abstractmethod
    def kernel(self) -> Kernel:
        """Weights that sum to 1, an odd number of pixels a side; rows run down, columns to the right."""

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        return convolved(pixels, self.kernel())


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

    def vector(self) -> dict[str, float]:
        return _moments(self.kernel())


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

    def vector(self) -> dict[str, float]:
        return _moments(self.kernel())


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
        r = np.hypot(x, y)
        jinc = _bessel1(self.cutoff * r) * self.cutoff / (2 * math.pi * np.maximum(r, 1))
        return _normalised(np.where(r > 0, jinc, self.cutoff**2 / (4 * math.pi)))


def convolved(pixels: Floats, kernel: Kernel) -> Floats:
    """H W C float32 in [0, 1], each channel convolved with the kernel; the same size, clipped."""
    height, width = pixels.shape[:2]
    radius = [n // 2 for n in kernel.shape]
    padded = np.pad(pixels.astype(np.float64), [(n, n) for n in radius] + [(0, 0)], mode="symmetric")
    size = padded.shape[:2]
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.fft.rfft2(kernel, s=size)[..., None]
    full = np.fft.irfft2(spectrum, s=size, axes=(0, 1))
    inside = full[2 * radius[0] : 2 * radius[0] + height, 2 * radius[1] : 2 * radius[1] + width]
    return np.clip(inside, 0, 1).astype(np.float32)


def _grid(size: int) -> tuple[Kernel, Kernel]:
    """Distances from the middle pixel: to the right, and up."""
    steps = np.arange(size, dtype=np.float64) - size // 2
    return np.broadcast_to(steps, (size, size)), np.broadcast_to(-steps[:, None], (size, size))


def _normalised(weights: Kernel) -> Kernel:
    return weights / weights.sum()


def _moments(kernel: Kernel) -> dict[str, float]:
    """The second moments of a kernel, in px^2; those of a ringing one say nothing of its width."""
    x, y = _grid(len(kernel))
    products = {"blur_xx": x * x, "blur_yy": y * y, "blur_xy": x * y}
    return {name: float((kernel * product).sum()) for name, product in products.items()}


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

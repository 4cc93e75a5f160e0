"""Degradations of the literature, by the name of what they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable

from subpixel.degradations.blur import GaussianBlur, Profile, SincBlur
from subpixel.degradations.codecs import Jpeg
from subpixel.degradations.degradation import IDENTITY, Chain, Degradation
from subpixel.degradations.distributions import Choice, Uniform
from subpixel.degradations.noise import GaussianNoise, PoissonNoise
from subpixel.degradations.resizing import Downsample, Kernel, Resize

_KERNELS: tuple[Kernel, ...] = ("area", "bilinear", "bicubic")
_PROFILES: tuple[tuple[Profile, float, float], ...] = (
    ("gaussian", 1.0, 1.0), ("gaussian", 0.5, 4.0), ("plateau", 1.0, 2.0),
)  # fmt: skip


def classical(scale: int) -> Degradation:
    """The benchmarks' degradation: MATLAB's bicubic imresize of 8-bit images, nothing else."""
    return Downsample(scale)


def real_world(scale: int) -> Degradation:
    """Second-order degradation: blur, resizing, noise and JPEG, twice, with ringing at the end.

    Source: Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833, section 3 and its published options), after
    BSRGAN (Zhang et al. 2021, arXiv:2103.14006). What differs: kernels are always 21 pixels wide (there: 7 to
    21), the last resizing is always bicubic (there: one of three), and Poisson noise counts 256 levels.
    """
    first = (_blur(3.0), _resize((0.2, 0.7, 0.1), 0.15, 1.5), _noise(30 / 255, 3 / 16), _JPEG)
    blur = Choice((_blur(1.5), IDENTITY), (0.8, 0.2))
    second = (blur, _resize((0.3, 0.4, 0.3), 0.3, 1.2), _noise(25 / 255, 2.5 / 16))
    ringing = Choice((_SINC, IDENTITY), (0.8, 0.2))
    jpeg_last = Chain((Downsample(scale, round8=False, after=Chain(first + second)), ringing, _JPEG))
    ringing_last = Chain((Downsample(scale, round8=False, after=Chain((*first, *second, _JPEG))), ringing))
    return Choice((jpeg_last, ringing_last))


PRESETS: dict[str, Callable[[int], Degradation]] = {"classical": classical, "real-world": real_world}
"""By the name on the command line: what makes the degradation of a scale."""

_JPEG = Uniform(Jpeg(30), Jpeg(95))
_SINC = Uniform(SincBlur(math.pi / 3), SincBlur(math.pi))


def _blur(max_sigma: float) -> Degradation:
    """One of seven kinds of kernels, with standard deviations of 0.2 to `max_sigma` pixels."""
    isotropic = (0.2, 0.0, 0.0), (max_sigma, 0.0, 0.0)
    anisotropic = (0.2, 0.2, -180.0), (max_sigma, max_sigma, 180.0)
    kinds: list[Degradation] = [
        Uniform(GaussianBlur(*low, low_shape, profile), GaussianBlur(*high, high_shape, profile))
        for profile, low_shape, high_shape in _PROFILES
        for low, high in (isotropic, anisotropic)
    ]
    return Choice((*kinds, _SINC), (0.405, 0.225, 0.108, 0.027, 0.108, 0.027, 0.1))


def _resize(probabilities: tuple[float, float, float], low: float, high: float) -> Degradation:
    """Larger, smaller or as it is, with a random kernel."""
    larger = Choice(tuple(Uniform(Resize(1.0, kernel), Resize(high, kernel)) for kernel in _KERNELS))
    smaller = Choice(tuple(Uniform(Resize(low, kernel), Resize(1.0, kernel)) for kernel in _KERNELS))
    return Choice((larger, smaller, IDENTITY), probabilities)


def _noise(gaussian: float, poisson: float) -> Degradation:
    """Gaussian or Poisson noise up to the given strengths, gray in two of five cases."""
    kinds = [
        Uniform(kind(low, gray), kind(high, gray))
        for kind, low, high in ((GaussianNoise, 1 / 255, gaussian), (PoissonNoise, 0.05 / 16, poisson))
        for gray in (False, True)
    ]
    return Choice(tuple(kinds), (0.3, 0.2, 0.3, 0.2))

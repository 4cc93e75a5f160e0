"""Degradations of the literature, by the name of what they stand for."""

from __future__ import annotations

import math

from subpixel.degradations.blur import GaussianBlur, SincBlur
from subpixel.degradations.codecs import Jpeg
from subpixel.degradations.degradation import Chain, Degradation
from subpixel.degradations.noise import GaussianNoise, PoissonNoise
from subpixel.degradations.random import Choice, Uniform
from subpixel.degradations.resizing import Downsample, Kernel, Resize

_KERNELS: tuple[Kernel, ...] = ("area", "bilinear", "bicubic")
_NOTHING = Chain()


def classical(scale: int) -> Degradation:
    """The benchmarks' degradation: MATLAB's bicubic imresize of 8-bit pictures, nothing else."""
    return Downsample(scale)


def real_world(scale: int) -> Degradation:
    """Second-order degradation: blur, resizing, noise and JPEG, twice, with ringing at the end.

    Source: Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833, section 3 and its published training options); the
    idea of random orders is BSRGAN's (Zhang et al. 2021, arXiv:2103.14006). Kernels are always 21 pixels wide, where the
    paper draws 7 to 21, and Poisson noise counts 256 levels.
    """
    first = Chain((_blur(3.0), _resize((0.2, 0.7, 0.1), 0.15, 1.5), _noise(30 / 255, 3 / 16), _JPEG))
    blur = Choice((_blur(1.5), _NOTHING), (0.8, 0.2))
    second = Chain((blur, _resize((0.3, 0.4, 0.3), 0.3, 1.2), _noise(25 / 255, 2.5 / 16)))
    ringing = Choice((_sinc(math.pi / 3), _NOTHING), (0.8, 0.2))
    twice = Chain((first, second))
    late = Choice(tuple(Chain((Downsample(scale, k, False, twice), ringing, _JPEG)) for k in _KERNELS))
    early = Choice(
        tuple(Chain((Downsample(scale, k, False, Chain((twice, _JPEG))), ringing)) for k in _KERNELS)
    )
    return Choice((late, early))


_JPEG = Uniform(Jpeg(30), Jpeg(95))


def _sinc(lowest: float) -> Degradation:
    return Uniform(SincBlur(lowest), SincBlur(math.pi))


def _blur(most: float) -> Degradation:
    """One of seven kinds of kernels, with standard deviations of 0.2 to `most` pixels."""
    return Choice(
        (
            Uniform(GaussianBlur(0.2), GaussianBlur(most)),
            Uniform(GaussianBlur(0.2, 0.2, -180.0), GaussianBlur(most, most, 180.0)),
            Uniform(GaussianBlur(0.2, shape=0.5), GaussianBlur(most, shape=4.0)),
            Uniform(GaussianBlur(0.2, 0.2, -180.0, 0.5), GaussianBlur(most, most, 180.0, 4.0)),
            Uniform(
                GaussianBlur(0.2, shape=1.0, profile="plateau"), GaussianBlur(most, 0.0, 0.0, 2.0, "plateau")
            ),
            Uniform(
                GaussianBlur(0.2, 0.2, -180.0, 1.0, "plateau"),
                GaussianBlur(most, most, 180.0, 2.0, "plateau"),
            ),
            _sinc(math.pi / 3),
        ),
        (0.405, 0.225, 0.108, 0.027, 0.108, 0.027, 0.1),
    )


def _resize(shares: tuple[float, float, float], low: float, high: float) -> Degradation:
    """Larger, smaller or as it is, with a random kernel."""
    larger = Choice(tuple(Uniform(Resize(1.0, kernel), Resize(high, kernel)) for kernel in _KERNELS))
    smaller = Choice(tuple(Uniform(Resize(low, kernel), Resize(1.0, kernel)) for kernel in _KERNELS))
    return Choice((larger, smaller, _NOTHING), shares)


def _noise(gaussian: float, poisson: float) -> Degradation:
    """Gaussian or Poisson noise up to the given strengths, gray in two of five cases."""
    kinds = [
        Uniform(kind(low, gray), kind(high, gray))
        for kind, low, high in ((GaussianNoise, 1 / 255, gaussian), (PoissonNoise, 0.05 / 16, poisson))
        for gray in (False, True)
    ]
    return Choice(tuple(kinds), (0.3, 0.2, 0.3, 0.2))

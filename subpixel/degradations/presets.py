"""Degradations of the literature, by the name of what they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable

from subpixel.degradations.blur import GaussianBlur, MotionBlur, Profile, SincBlur
from subpixel.degradations.codecs import Jpeg
from subpixel.degradations.degradation import IDENTITY, Chain, Degradation
from subpixel.degradations.distributions import Choice, Uniform
from subpixel.degradations.noise import GaussianNoise, PoissonNoise
from subpixel.degradations.resizing import Downsample, Kernel, Resize
from subpixel.degradations.wear import Fade, Scratches, Sharpen

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
    21), their shapes are drawn evenly (there: half of them up to 1), sinc lets at least pi / 3 pass (there: pi / 5 in
    large kernels of the blur), the last resizing is always bicubic (there: one of three), and Poisson noise counts
    256 levels.
    """
    first = (_blur(3.0), _resize((0.2, 0.7, 0.1), 0.15, 1.5), _noise(30 / 255, 3 / 16), _JPEG)
    blur = Choice((_blur(1.5), IDENTITY), (0.8, 0.2))
    second = (blur, _resize((0.3, 0.4, 0.3), 0.3, 1.2), _noise(25 / 255, 2.5 / 16))
    ringing = Choice((_SINC, IDENTITY), (0.8, 0.2))
    jpeg_last = Chain((Downsample(scale, round8=False, after=Chain(first + second)), ringing, _JPEG))
    ringing_last = Chain((Downsample(scale, round8=False, after=Chain((*first, *second, _JPEG))), ringing))
    return Choice((jpeg_last, ringing_last))


def compressed(scale: int) -> Degradation:
    """A small image that was saved as JPEG."""
    return Chain((Downsample(scale), Uniform(Jpeg(25), Jpeg(95))))


def noisy(scale: int) -> Degradation:
    """A small image with noise, of amplifiers, of light, or both; up to a tenth of the range."""
    kinds = (_noise(25 / 255, 25 / 255), Chain((_noise(18 / 255, 18 / 255), _noise(18 / 255, 18 / 255))))
    return Chain((Downsample(scale), Choice(kinds)))


def camera(scale: int) -> Degradation:
    """What a small sensor gives: blur of the lens or the hand, noise of light and amplifiers, sharpening, JPEG."""
    moved = Uniform(MotionBlur(1.0, 0.0), MotionBlur(2.0 * scale, 180.0))
    blur = Choice((_lens(scale, 0.2, 0.8), moved, IDENTITY), (0.6, 0.2, 0.2))
    noise = [Uniform(kind(0.0), kind(top)) for kind, top in ((PoissonNoise, 25 / 255), (GaussianNoise, 8 / 255))]
    gray = Uniform(GaussianNoise(0.0, True), GaussianNoise(8 / 255, True))
    sharper = Choice((Uniform(Sharpen(0.0, 0.5), Sharpen(1.0, 1.5)), IDENTITY))
    small = Downsample(scale, round8=False, after=blur)
    return Chain((small, *noise, gray, sharper, Uniform(Jpeg(70), Jpeg(98))))


def web(scale: int) -> Degradation:
    """An image that was passed on: resized, sharpened, and compressed twice, cut in between."""
    passed_on = Choice((Uniform(Resize(0.5 / scale, "bicubic"), Resize(1.5 / scale, "bicubic")), IDENTITY), (0.7, 0.3))
    sharper = Choice((Uniform(Sharpen(0.2, 0.5), Sharpen(1.5, 1.5)), IDENTITY), (0.6, 0.4))
    small = Downsample(scale, round8=False, after=Chain((passed_on, sharper)))
    return Chain((small, Uniform(Jpeg(40), Jpeg(95)), Uniform(Jpeg(40), Jpeg(95, 7, 7))))


def old_photo(scale: int) -> Degradation:
    """A scanned print: blur, coarse grain, bleached dyes, scratches, JPEG."""
    return _print(scale, Choice((_BLEACHED, IDENTITY), (0.7, 0.3)))


def _print(scale: int, bleached: Degradation) -> Degradation:
    grain = Uniform(GaussianNoise(4 / 255, True), GaussianNoise(30 / 255, True))
    coarse = Uniform(GaussianBlur(0.3), GaussianBlur(0.8))
    scratched = Choice((Uniform(Scratches(0.0, 0.2), Scratches(3.0, 0.9)), IDENTITY))
    small = Downsample(scale, round8=False, after=_lens(scale, 0.3, 1.5))
    return Chain((small, grain, coarse, bleached, scratched, Uniform(Jpeg(60), Jpeg(98))))


def mixed(scale: int) -> Degradation:
    """Images as people bring them: each of the others, blur alone, and some that are clean.

    Prints keep their colours here: a network that may not know whether dyes have bleached shifts every image's.
    """
    kinds = (classical, compressed, noisy, camera, web, real_world)
    blurred = Downsample(scale, after=_lens(scale, 0.2, 1.3))
    every = (*(kind(scale) for kind in kinds), _print(scale, IDENTITY), blurred)
    return Choice(every, (0.12, 0.2, 0.16, 0.16, 0.1, 0.12, 0.06, 0.08))


PRESETS: dict[str, Callable[[int], Degradation]] = {
    "classical": classical, "real-world": real_world, "compressed": compressed, "noisy": noisy, "camera": camera,
    "web": web, "old-photo": old_photo, "mixed": mixed,
}  # fmt: skip
"""By the name on the command line: what makes the degradation of a scale."""

_JPEG = Uniform(Jpeg(30), Jpeg(95))
_BLEACHED = Uniform(Fade(0.4, 0.55, 0.5, 0.4), Fade(1.0, 0.95, 0.9, 0.85))
_SINC = Uniform(SincBlur(math.pi / 3), SincBlur(math.pi))


def _lens(scale: int, low: float, high: float) -> Degradation:
    """A Gaussian of so many pixels of the small image, in any direction."""
    return Uniform(
        GaussianBlur(low * scale, low * scale, -180.0, size=6 * scale + 9),
        GaussianBlur(high * scale, high * scale, 180.0, size=6 * scale + 9),
    )


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

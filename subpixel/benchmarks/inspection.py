"""How well `inspect` judges: images are degraded by known amounts, and its reports are held against them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import Blur, DegradationReport, Noise, inspect
from subpixel.analysis.report import Jpeg as JpegHistory
from subpixel.degradations import GaussianBlur, GaussianNoise, Jpeg
from subpixel.images import Floats, Image, dequantise, quantise
from subpixel.resample import rescale

Group = Literal["clean", "jpeg", "noise", "noise under JPEG", "blur"]
_VARIANTS = 3  # of each degradation and image


@dataclass(frozen=True)
class Case:
    """An image that was degraded, what was done to it, and what was said of it."""

    image: str
    group: Group
    truth: DegradationReport
    report: DegradationReport


@dataclass(frozen=True)
class Line:
    """A row of the table: what was measured, over how many images, and what is aimed at."""

    what: str
    value: str
    target: str
    judged: int
    unknown: int
    """Images about which nothing was said; they are not in the value."""


def cases(images: Iterable[tuple[str, Image]]) -> Iterator[Case]:
    """Every image reduced by 2, 3 and 4, and with three JPEG files, noises, both together, and blurs of random amount.

    What is compressed or made noisy is reduced by 2 first, for many photos are JPEG files themselves.
    """
    for name, image in images:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        for scale in (2, 3, 4):
            yield Case(name, "clean", DegradationReport(), _inspected(_reduced(image.pixels, scale)))
        small = _reduced(image.pixels, 2)
        for _ in range(_VARIANTS):
            yield _degraded(name, "jpeg", small, rng, quality=_quality(rng))
            yield _degraded(name, "noise", small, rng, sigma=rng.uniform(1, 25))
            yield _degraded(name, "noise under JPEG", small, rng, sigma=rng.uniform(1, 25), quality=_quality(rng))
            axes, angle = rng.uniform(0.4, 1.3, 2), rng.uniform(0, 180)
            yield _degraded(name, "blur", image.pixels, rng, blur=GaussianBlur(*axes, angle))


def _degraded(
    name: str,
    group: Group,
    pixels: Floats,
    rng: np.random.Generator,
    *,
    blur: GaussianBlur | None = None,
    sigma: float = 0.0,
    quality: int | None = None,
) -> Case:
    """Blur, noise, JPEG, and a crop that starts anywhere."""
    steps = (blur, GaussianNoise(sigma / 255), None if quality is None else Jpeg(quality))
    for step in steps:
        pixels = pixels if step is None else step.apply(pixels, rng)
    y, x = rng.integers(0, 16, 2)
    truth = DegradationReport(
        jpeg=JpegHistory() if quality is None else JpegHistory(quality=quality, phase=(-int(y) % 8, -int(x) % 8)),
        noise=Noise(sigma=sigma, chroma=sigma if pixels.shape[2] == 3 else 0),
        blur=Blur() if blur is None else Blur(**{key.removeprefix("blur_"): v for key, v in blur.vector().items()}),
    )
    return Case(name, group, truth, _inspected(pixels[y:, x:]))


def _inspected(pixels: Floats) -> DegradationReport:
    return inspect(quantise(pixels, 8))


def _quality(rng: np.random.Generator) -> int:
    return int(rng.integers(20, 91))


def _reduced(pixels: Floats, scale: int) -> Floats:
    height, width = (n // scale * scale for n in pixels.shape[:2])
    return dequantise(rescale(quantise(pixels[:height, :width], 8), 1 / scale))


def error(case: Case) -> float:
    """How far the report is from the truth in what the case is about: NaN where nothing is said.

    In steps of quality, levels of noise, pixels of the two standard deviations of a blur (their mean).
    """
    truth, report = case.truth, case.report
    if case.group == "jpeg":
        return math.nan if report.jpeg is None else abs(report.jpeg.quality - truth.jpeg.quality)
    if case.group == "blur":
        return math.nan if report.blur is None else _apart(report.blur.axes[:2], truth.blur.axes[:2])
    return math.nan if report.noise is None else abs(report.noise.sigma - truth.noise.sigma)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.abs(np.subtract(one, other)).mean())


def lines(found: Sequence[Case]) -> list[Line]:
    """The table of what `inspect` aims at."""
    clean = np.array([case.report.clean for case in found if case.group == "clean"])
    uncompressed = [case.report.jpeg for case in found if case.group in ("clean", "noise")]
    alarms = np.array([jpeg is not None and jpeg.quality < 100 for jpeg in uncompressed])
    return [
        Line("clean, reduced by 2, 3, 4: said to be clean", f"{clean.mean():.1%}", "100 %", len(clean), 0),
        Line("no JPEG: false alarms", f"{alarms.mean():.1%}", "<= 1 %", len(alarms), 0),
        _line(
            found,
            "jpeg",
            "JPEG of quality 20 to 90, any crop: right to 1",
            ">= 95 %",
            lambda e: f"{(e <= 1).mean():.1%}",
        ),
        _line(found, "noise", "noise of 1 to 25 levels: mean error in levels", "<= 0.6", _mean),
        _line(found, "noise under JPEG", "noise under JPEG of 20 to 90: mean error in levels", "<= 2", _mean),
        _line(found, "blur", "blur of 0.4 to 1.3 px at full size: mean error in px", "<= 0.1", _mean),
    ]


def _mean(errors: NDArray[np.float64]) -> str:
    return f"{errors.mean():.2f}"


def _line(
    found: Sequence[Case], group: Group, what: str, target: str, said: Callable[[NDArray[np.float64]], str]
) -> Line:
    errors = np.array([error(case) for case in found if case.group == group])
    known = errors[~np.isnan(errors)]
    return Line(what, said(known) if len(known) else "", target, len(known), len(errors) - len(known))

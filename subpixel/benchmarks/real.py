"""Quality on degraded photos: what the default makes of them, beside bicubic, single models and a peer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.files import ImageFile, find_images
from subpixel.degradations import (
    Chain,
    Degradation,
    GaussianBlur,
    GaussianNoise,
    Jpeg,
    classical,
    real_world,
)  # fmt: skip
from subpixel.degradations.degradation import IDENTITY
from subpixel.errors import BadRequest, UnknownName
from subpixel.evaluation.evaluate import Pair, degraded
from subpixel.images import Image
from subpixel.inference.choice import AUTO, Restoration
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.protocol import STANDARD
from subpixel.metrics.psnr import psnr
from subpixel.models import Model
from subpixel.runtimes import Execution

_GAUSSIAN8 = {2: (0.8, 1.6), 3: (1.35, 2.4), 4: (1.8, 3.2)}
"""The smallest and the largest standard deviation by scale, in pixels of the original."""
DEFAULT_CONDITIONS = ("clean", "JPEG 80", "JPEG 60", "JPEG 30", "noise 5", "noise 15", "blur 1.2", "blur 2.4",
         "blur 1.2, noise 5, JPEG 60", "real-world")  # fmt: skip
"""The ten conditions of our tables."""
EYE = "for-the-eye"
"""In place of a model: the default with all the detail that it can invent."""
Upscale = Callable[[Image], Image]
RGB = replace(STANDARD, luma=False)


@dataclass(frozen=True)
class Candidate:
    """Something that enlarges images by the scale that is measured."""

    name: str
    upscale: Upscale


@dataclass(frozen=True)
class Line:
    """The means of one candidate over the images of one condition."""

    condition: str
    candidate: str
    scale: int
    values: Mapping[str, float]
    unmeasured: int = 0
    """Images that NIQE could not judge; its mean is that of the others."""


def candidates(names: Iterable[str], scale: int, peers: Mapping[str, Model]) -> list[Candidate]:
    """The models of the package by these names, or EYE, and the peers: all in single precision, to be comparable."""
    asked: dict[str, str | Model] = {name: AUTO if name == EYE else name for name in names}
    f32, detail = Execution(precision="f32"), {EYE: Restoration(detail=1.0)}
    upscalers = {
        name: Upscaler(model, scale=scale, execution=f32, restoration=detail.get(name, Restoration()))
        for name, model in (asked | dict(peers)).items()
    }
    return [Candidate(name, upscaler) for name, upscaler in upscalers.items()]


def conditions(scale: int) -> Mapping[str, tuple[Degradation, ...]]:
    """By name: blur before the reduction, in pixels of the original; noise (in levels) and JPEG after it.

    At x1 nothing is reduced. gaussian8 is the field's: eight isotropic kernels (Gu et al., CVPR 2019, section 4.1),
    and as there the reduction is bicubic.
    """
    reduced = classical(scale) if scale > 1 else IDENTITY
    noisy = {f"noise {sigma}": GaussianNoise(sigma / 255) for sigma in (5, 15)}
    compressed = {f"JPEG {quality}": Jpeg(quality) for quality in (80, 60, 40, 30, 20, 10)}
    after = {name: Chain((reduced, step)) for name, step in (compressed | noisy).items()}
    blurred = {f"blur {sigma}": Chain((GaussianBlur(sigma), reduced)) for sigma in (1.2, 2.4)}
    mixed = Chain((GaussianBlur(1.2), reduced, GaussianNoise(5 / 255), Jpeg(60)))
    single: dict[str, Degradation] = {
        "clean": reduced,
        **after,
        **blurred,
        "blur 1.2, noise 5, JPEG 60": mixed,
        "real-world": real_world(scale),
    }
    low, high = _GAUSSIAN8.get(scale, (0.0, 0.0))
    eight = tuple(Chain((GaussianBlur(sigma), reduced)) for sigma in np.linspace(low, high, 8)) if low else ()
    return {name: (degradation,) for name, degradation in single.items()} | ({"gaussian8": eight} if eight else {})


def bench_real(
    candidates: Sequence[Candidate],
    folder: Path,
    scale: int,
    names: Iterable[str] = DEFAULT_CONDITIONS,
    *,
    lpips: Callable[[NDArray[Any], NDArray[Any]], float] | None = None,
    niqe: Callable[[NDArray[Any]], float] | None = None,
) -> list[Line]:
    """Every candidate under every condition: Y-PSNR, RGB-PSNR, colour shift, seconds, and LPIPS and NIQE if given.

    folder: of the references, each degraded from a seed of its own. names: some of `conditions`.
    Raises: UnknownName for a condition, DataError for a folder without images.
    """
    known, files = conditions(scale), find_images(folder)
    for name in (chosen := list(names)):
        if name not in known:
            raise UnknownName("condition", name, known)
    return [
        Line(name, candidate.name, scale, *_means(candidate, _pairs(files, scale, known[name]), scale, lpips, niqe))
        for name in chosen
        for candidate in candidates
    ]


def _pairs(files: Sequence[ImageFile], scale: int, degradations: Sequence[Degradation]) -> Iterator[Pair]:
    for degradation in degradations:
        yield from degraded(((file.name, Image.from_array(file.rgb())) for file in files), scale, degradation)


def _means(
    candidate: Candidate,
    pairs: Iterable[Pair],
    scale: int,
    lpips: Callable[[NDArray[Any], NDArray[Any]], float] | None,
    niqe: Callable[[NDArray[Any]], float] | None,
) -> tuple[dict[str, float], int]:
    """Of all images, and how many of them have no NIQE."""
    rows: list[dict[str, float]] = []
    for pair in pairs:
        started = time.perf_counter()
        result = candidate.upscale(pair.low)
        values = {"seconds": time.perf_counter() - started}
        luma, luma_reference = STANDARD.prepare(result.pixels, pair.high.pixels, scale)
        colour, reference = RGB.prepare(result.pixels, pair.high.pixels, scale)
        values |= {"Y-PSNR": psnr(luma, luma_reference), "RGB-PSNR": psnr(colour, reference)}
        values |= {"LPIPS": lpips(colour, reference)} if lpips else {}
        values |= {"NIQE": _judged(niqe, luma)} if niqe else {}
        rows.append(values | {"colour shift": colour_shift(colour, reference)})
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {name: _mean(column) for name, column in columns.items()}, sum(map(math.isnan, columns.get("NIQE", ())))


def _judged(niqe: Callable[[NDArray[Any]], float], luma: NDArray[Any]) -> float:
    """nan for an image that is too small or too flat: what was measured before is worth more than one value."""
    try:
        return niqe(luma)
    except BadRequest:
        return math.nan


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def colour_shift(result: NDArray[Any], reference: NDArray[Any]) -> float:
    """The largest difference of a channel's mean, in levels of 255."""
    difference = result.reshape(-1, 3).mean(axis=0, dtype=np.float64) - reference.reshape(-1, 3).mean(axis=0)
    return float(255 * np.abs(difference).max())


def markdown(lines: Sequence[Line]) -> str:
    """A table: a row for each condition and candidate."""
    metrics = list(lines[0].values)
    head = ["| condition | candidate | " + " | ".join(metrics) + " |", "|---|---|" + "---|" * len(metrics)]
    digits = {"LPIPS": 3, "seconds": 3}
    body = [
        f"| {line.condition} x{line.scale} | {line.candidate} | "
        + " | ".join(f"{line.values[m]:.{digits.get(m, 2)}f}" for m in metrics)
        + " |"
        for line in lines
    ]
    notes = [
        f"\n{line.condition} x{line.scale}, {line.candidate}: no NIQE of {line.unmeasured} images, too small or flat"
        for line in lines
        if line.unmeasured
    ]
    return "\n".join([*head, *body, *notes]) + "\n"

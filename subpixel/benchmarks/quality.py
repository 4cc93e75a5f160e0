"""Quality on the field's benchmarks, beside what was published."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from subpixel import resample
from subpixel.benchmarks import benchmark_sets
from subpixel.degradations import Degradation, classical
from subpixel.errors import BadRequest
from subpixel.evaluation.evaluate import DEFAULT_METRICS, Metric, Pair, degraded, described, evaluate, luma_of
from subpixel.evaluation.report import Published, Report, merged
from subpixel.images import Image
from subpixel.metrics.protocol import STANDARD, Protocol

Plane = Literal["rgb", "luma"]

_SETS = ("Set5", "Set14", "BSD100", "Urban100", "Manga109")  # the order of the lists in papers.toml


@dataclass(frozen=True)
class Candidate:
    """Something that enlarges images by one factor."""

    name: str
    scale: int
    upscale: Callable[[Image], Image]
    paper: str = ""
    """Its name in papers.toml, where that differs from `name`."""
    plane: Plane = "rgb"
    """"rgb", or "luma" for the luma alone, as a gray image."""


def bicubic(scale: int) -> Candidate:
    """The baseline of every table: bicubic enlargement in float, of the luma."""

    def upscale(low: Image) -> Image:
        height, width = low.height * scale, low.width * scale
        return Image(np.clip(resample.resize(low.pixels, height, width), 0, 1))

    return Candidate("bicubic", scale, upscale, plane="luma")


def bench_quality(
    candidates: Sequence[Candidate],
    data_root: Path,
    sets: Iterable[str] = ("Set5", "Set14", "BSD100"),
    *,
    degradation: Callable[[int], Degradation] = classical,
    protocol: Protocol = STANDARD,
    metrics: Mapping[str, Metric] = DEFAULT_METRICS,
    colour: Mapping[str, Metric] = MappingProxyType({}),
) -> Report:
    """Every candidate on every set, with published values beside where the conditions are the published ones.

    data_root: a folder with one folder for each set; degradation: what makes the low resolution, for a scale;
    metrics, colour: see `evaluate`.
    Raises: UnknownName for a set, DataError for missing or other images, BadRequest for nothing to measure.
    """
    specs = [benchmark_sets.benchmark(name) for name in sets]
    if not specs or not candidates:
        raise BadRequest("nothing to measure; name at least one model and one benchmark set")
    notes = [_note(spec, data_root) for spec in specs]
    degradations = "; ".join(dict.fromkeys(described(degradation(c.scale), c.scale) for c in candidates))
    reports = [
        evaluate(
            candidate.upscale,
            _pairs(data_root, spec, candidate, degradation(candidate.scale)),
            candidate.scale,
            model=candidate.name,
            dataset=spec.name,
            degradation=degradations,
            protocol=protocol,
            metrics=metrics,
            colour=colour,
        )
        for spec in specs
        for candidate in candidates
    ]
    report = merged(reports)
    comparable = protocol.luma and protocol.shave == "scale" and degradation is classical
    papers = tuple(p for c in candidates for p in published(c.name, c.paper or c.name, c.scale)) if comparable else ()
    luma = sorted({c.name for c in candidates if c.plane == "luma"})
    notes += [f"{', '.join(luma)}: on the luma alone, as it was published."] if luma else []
    return Report(report.protocol, report.degradation, report.rows, papers, tuple(n for n in notes if n))


def published(name: str, paper: str, scale: int) -> list[Published]:
    """What papers.toml knows of a network at a scale, for all sets and metrics; `name` is what stands in the tables."""
    entry: dict[str, Any] = papers().get(paper, {}).get(f"x{scale}", {})
    return [
        Published(name, dataset, scale, metric, value, entry["source"])
        for metric in ("psnr", "ssim")
        for dataset, value in zip(_SETS, entry.get(metric, ()), strict=False)
        if not math.isnan(value)
    ]


@cache
def papers() -> dict[str, dict[str, Any]]:
    """papers.toml: model -> scale -> metric -> values."""
    return tomllib.loads((resources.files("subpixel.benchmarks") / "papers.toml").read_text("utf-8"))


def _pairs(data_root: Path, spec: benchmark_sets.Benchmark, to: Candidate, made_by: Degradation) -> Iterator[Pair]:
    images = benchmark_sets.images(data_root, spec)
    if to.plane == "luma":
        images = ((name, luma_of(image)) for name, image in images)
    return degraded(images, to.scale, made_by)


def _note(spec: benchmark_sets.Benchmark, data_root: Path) -> str:
    if benchmark_sets.verified(data_root, spec):
        return ""
    return f"{spec.name}: the pixels could not be verified (no digest of the published set is known)."

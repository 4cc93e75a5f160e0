"""The page of the models and the picture beside it, made of cards and fresh measurements; nothing on it is typed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from subpixel import models
from subpixel.benchmarks.contenders import contenders, write_cards
from subpixel.benchmarks.quality import bench_quality
from subpixel.benchmarks.tradeoff import Point, conditions, draw, tradeoff
from subpixel.errors import UnwritableImage
from subpixel.evaluation.report import Mean, Report
from subpixel.image import write

SETS = ("Set5", "Set14", "BSD100")


def write_zoo(data_root: Path, crops: Path, docs: Path, runs: int = 5) -> Path:
    """Measures every model, writes the scores into the cards, and zoo.md and images/tradeoff.png into `docs`.

    data_root: holds the sets of SETS; crops: holds the folder crops/ of the tests. runs: of each timed call.
    Raises: as `bench_quality` does; UnwritableImage.
    """
    measured = contenders(None)
    report = bench_quality(measured, data_root, SETS)
    write_cards(report)
    write_cards(bench_quality(measured, crops, ["Crops"]))
    points = tradeoff(report, SETS[0], runs)
    picture = docs / "images" / "tradeoff.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    write(picture, draw(points, SETS[0]), compress=True)
    return write_page(docs / "zoo.md", page(report, points))


def write_page(path: Path, text: str) -> Path:
    """Writes a page of text, complete or not at all. Raises: UnwritableImage."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UnwritableImage(path, (error.strerror or str(error)).lower()) from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def page(report: Report, points: Sequence[Point]) -> str:
    """The whole page in Markdown: what the models reach and cost, what was published, how they were trained."""
    parts = [
        "# The models\n",
        "This page is made by `subpixel bench zoo --data-root FOLDER`; FOLDER holds Set5, Set14 and BSD100.\n",
        "## What they reach and what they cost\n",
        f"PSNR in dB, SSIM in brackets, computed in f32. Protocol: {report.protocol}. "
        f"Degradation: {report.degradation}. {conditions()}\n",
        *(f"{note}\n" for note in report.notes),
        _reached(report, points),
        "![PSNR against cost](images/tradeoff.png)\n",
        "\n".join(verdicts(report, points)) + "\n",
        "## Beside what was published\n",
        _published(report.means()),
        "## How they were trained\n",
        _trained([models.load(p.name).card for p in points if p.macs is not None]),
    ]
    return "\n".join(parts)


def verdicts(report: Report, points: Sequence[Point]) -> list[str]:
    """A sentence for each model that loses in PSNR on every set to a smaller and faster one of its scale."""
    better = {p.name: [other for other in points if _beats(other, p, report)] for p in points if p.macs is not None}
    sentences = [
        f"- **{name}** loses to {', '.join(p.name for p in others)}: smaller, faster, and higher in PSNR on every set."
        for name, others in better.items()
        if others
    ]
    return sentences or ["No model loses in PSNR on every set to a smaller and faster one of its scale."]


def _beats(one: Point, other: Point, report: Report) -> bool:
    if one.macs is None or one.scale != other.scale:
        return False
    cheaper = one.parameters < other.parameters and one.seconds < other.seconds
    return cheaper and all(_psnr(report, one, name) > _psnr(report, other, name) for name in _sets(report))


def _psnr(report: Report, point: Point, dataset: str) -> float:
    return report.mean(point.name, dataset, point.scale, "psnr")


def _sets(report: Report) -> list[str]:
    return list(dict.fromkeys(mean.dataset for mean in report.means()))


def _reached(report: Report, points: Sequence[Point]) -> str:
    sets = _sets(report)
    lines = [_row("model", "scale", "parameters", "multiply-adds", "ms", *sets), "|---" * (5 + len(sets)) + "|"]
    for p in points:
        cost = (f"{p.parameters:,}", f"{p.macs:,.0f}") if p.macs is not None else ("", "")
        scores = [f"{_psnr(report, p, s):.2f} ({report.mean(p.name, s, p.scale, 'ssim'):.4f})" for s in sets]
        lines.append(_row(p.name, f"x{p.scale}", *cost, f"{1000 * p.seconds:.0f}", *scores))
    return "\n".join(lines) + "\n"


def _published(means: Sequence[Mean]) -> str:
    lines = [_row("model", "set", "metric", "measured", "published", "difference", "source"), "|---" * 7 + "|"]
    for mean in sorted(means, key=lambda m: (m.scale, m.model)):
        if mean.published is not None and mean.difference is not None:
            digits = 2 if mean.metric == "psnr" else 4
            values = (
                f"{mean.value:.{digits}f}",
                f"{mean.published:.{digits}f}",
                f"{round(mean.difference, digits) + 0.0:+.{digits}f}",
            )
            name = mean.model if mean.model in models.names() else f"{mean.model} x{mean.scale}"
            lines.append(_row(name, mean.dataset, mean.metric.upper(), *values, mean.source))
    return "\n".join(lines) + "\n"


def _trained(cards: Sequence[models.Card]) -> str:
    lines = [_row("model", "after", "steps", "hours", "recipe", "training data", "licence"), "|---" * 7 + "|"]
    lines += [_row(c.name, c.paper, f"{c.steps:,}", f"{c.hours:.1f}", c.recipe, c.data, c.licence) for c in cards]
    note = "Recipe: digest of the page in recipes/. Training data: digest of the manifest in zoo/."
    return "\n".join([*lines, "", note]) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

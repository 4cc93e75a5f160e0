"""The page of the models and the image beside it, made of cards and fresh measurements; nothing on it is typed.

    python -m zoo.models_page --data-root FOLDER --lpips FILE    docs/zoo.md and docs/images/tradeoff.png

FOLDER holds Set5, Set14 and BSD100. Models whose cards lack a score are measured first; --remeasure measures all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

from subpixel import atomic, models
from subpixel.benchmarks.candidates import candidate, write_cards
from subpixel.benchmarks.quality import bench_quality, bicubic, published
from subpixel.benchmarks.tradeoff import Point, conditions, draw, tradeoff
from subpixel.errors import UnwritableImage
from subpixel.evaluation.evaluate import Metric
from subpixel.evaluation.report import Mean, Report, Row, merged
from subpixel.metrics.lpips import load as load_lpips

SETS = ("Set5", "Set14", "BSD100")
CROPS = "Crops"
PERCEPTUAL = 4
"""The scale at which the perceptual distance is measured: SRGAN's."""


def write_zoo(
    data_root: Path, crops: Path, docs: Path, *, runs: int = 5, lpips: Metric | None = None, remeasure: bool = False
) -> Path:
    """Measures the models whose cards lack a score, and writes zoo.md and images/tradeoff.png into `docs`.

    data_root: holds the sets of SETS; crops: holds the folder crops/ of the tests. runs: of each timed call. lpips: the
    perceptual distance, measured at x4. remeasure: measures every model.
    Raises: as `bench_quality` does; UnwritableImage.
    """
    for name in models.enlarging():
        if remeasure or not _complete(models.load(name).card, lpips):
            _measure(name, data_root, crops, lpips)
    cards = [models.load(name).card for name in models.enlarging()]
    kernels = bench_quality([bicubic(scale) for scale in sorted({card.scale for card in cards})], data_root, SETS)
    report = merged([kernels, of_cards(cards, kernels)])
    points = tradeoff(report, SETS[0], runs)
    image = docs / "images" / "tradeoff.png"
    image.parent.mkdir(parents=True, exist_ok=True)
    chart = PIL.Image.fromarray(np.rint(255 * draw(points, SETS[0]).pixels).astype(np.uint8))
    with atomic.replacing(image) as temporary:
        chart.quantize(256, dither=PIL.Image.Dither.NONE).save(temporary, "PNG", optimize=True)
    return write_page(docs / "zoo.md", markdown(report, points))


def of_cards(cards: Sequence[models.Card], like: Report) -> Report:
    """The scores on the cards as a report, with one line for each set, beside what was published.

    like: a report of the same protocol and degradation.
    """
    rows = tuple(
        Row(card.name, score.dataset, card.scale, "", score.metric, score.value)
        for card in cards
        for score in card.scores
        if score.dataset in SETS and score.protocol.startswith(like.protocol)  # that of colours says more behind it
    )
    known = tuple(p for card in cards for p in published(card.name, card.family, card.scale))
    return Report(like.protocol, like.degradation, rows, known)


def _complete(card: models.Card, lpips: Metric | None) -> bool:
    perceptual = lpips is None or card.scale != PERCEPTUAL or card.score(SETS[1], "lpips") is not None
    return perceptual and all(card.score(name) is not None for name in (*SETS, CROPS))


def _measure(name: str, data_root: Path, crops: Path, lpips: Metric | None) -> None:
    model = candidate(name)
    write_cards(bench_quality([model], data_root, SETS))
    write_cards(bench_quality([model], crops, [CROPS]))
    if lpips and model.scale == PERCEPTUAL:
        write_cards(bench_quality([model], data_root, SETS, metrics={}, colour={"lpips": lpips}))


def write_page(path: Path, text: str) -> Path:
    """Writes a page of text, complete or not at all. Raises: UnwritableImage."""
    try:
        atomic.write_text(path, text)
    except OSError as error:
        raise UnwritableImage(path, (error.strerror or str(error)).lower()) from error
    return path


def markdown(report: Report, points: Sequence[Point]) -> str:
    """The whole page in Markdown: what the models reach and cost, what was published, how they were trained."""
    parts = [
        "# The models\n",
        "This page is made by `python -m zoo.models_page --data-root FOLDER`; FOLDER holds Set5, Set14 and BSD100.\n",
        "## What they reach and what they cost\n",
        f"PSNR in dB, SSIM in brackets, computed in f32. Protocol: {report.protocol}. "
        f"Degradation: {report.degradation}. {conditions()}\n",
        *(f"{note}\n" for note in report.notes),
        _reached(report, points),
        "![PSNR against cost](images/tradeoff.png)\n",
        "\n".join(dominated(report, points)) + "\n",
        *_perceptual(report),
        "## Beside what was published\n",
        _published(report.means()),
        "## How they were trained\n",
        _trained([models.load(p.name).card for p in points if p.macs is not None]),
    ]
    return "\n".join(parts)


def dominated(report: Report, points: Sequence[Point]) -> list[str]:
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


def _perceptual(report: Report) -> list[str]:
    """The section of the perceptual distances, where some were measured."""
    means = [m for m in report.means() if m.metric == "lpips"]
    if not means:
        return []
    values = {(m.model, m.dataset): m.value for m in means}
    sets = sorted({m.dataset for m in means}, key=SETS.index)
    names = sorted({m.model for m in means}, key=lambda name: values[name, sets[-1]])
    lines = [
        _row("model", *sets),
        "|---" * (1 + len(sets)) + "|",
        *(_row(name, *(f"{values[name, each]:.4f}" for each in sets)) for name in names),
    ]
    how = f"LPIPS (AlexNet, v0.1) of the colour images at x{PERCEPTUAL}; smaller is nearer to what people see.\n"
    return ["## Perceptual distance\n", how, "\n".join(lines) + "\n"]


def _trained(cards: Sequence[models.Card]) -> str:
    lines = [_row("model", "after", "steps", "hours", "recipe", "training data", "licence"), "|---" * 7 + "|"]
    lines += [_row(c.name, c.paper, f"{c.steps:,}", f"{c.hours:.1f}", c.recipe, c.data, c.licence) for c in cards]
    note = "Recipe: digest of the page in recipes/. Training data: digest of the manifest in zoo/."
    return "\n".join([*lines, "", note]) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--crops", type=Path, default=Path("tests/data"), help="holds the folder crops/ of the tests")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where zoo.md and images/ are written")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs of each call")
    parser.add_argument("--lpips", type=Path, help="LPIPS's weights: measured at x4")
    parser.add_argument("--remeasure", action="store_true", help="measure every model, not only new ones")
    given = parser.parse_args()
    distance = load_lpips(given.lpips).distance if given.lpips else None
    path = write_zoo(
        given.data_root, given.crops, given.docs, runs=given.runs, lpips=distance, remeasure=given.remeasure
    )
    print(path)


if __name__ == "__main__":
    main()

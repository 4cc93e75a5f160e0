"""The models of the package as contenders of a benchmark, and their scores on their cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subpixel import models
from subpixel.benchmarks.quality import Contender, bicubic
from subpixel.evaluation.report import Report
from subpixel.inference.upscaler import Upscaler
from subpixel.models import store


def contenders(names: Sequence[str] | None) -> list[Contender]:
    """The named models, computed in f32; by default bicubic at x2, x3 and x4 and every model of the package.

    Raises: UnknownName, BadWeights.
    """
    chosen = [_contender(name) for name in names or models.names()]
    return chosen if names else [*map(bicubic, (2, 3, 4)), *chosen]


def write_cards(report: Report) -> None:
    """Writes the means of a report into the cards of the shipped models that it measured."""
    for name in models.names():
        scores = tuple(
            models.Score(dataset=m.dataset, metric=m.metric, value=round(m.value, 4), protocol=str(report.protocol))
            for m in report.means()
            if m.model == name
        )
        if scores:
            store.rewrite_card(store.FOLDER / f"{name}.onnx", scores=scores)


def _contender(name: str) -> Contender:
    card = models.load(name).card
    label = Path(name).stem if Path(name).suffix else name
    return Contender(label, card.scale, Upscaler(name, precision="f32").upscale_image, paper=card.family)

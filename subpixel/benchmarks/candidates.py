"""What a name on the command line stands for as a candidate of a benchmark, and the scores on the models' cards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subpixel import archs, models
from subpixel.benchmarks.quality import Candidate, bicubic
from subpixel.errors import UnknownName
from subpixel.evaluation.report import Report
from subpixel.inference.upscaler import Upscaler
from subpixel.models import store
from subpixel.models.naming import matching_models
from subpixel.ports import ModelName
from subpixel.resample import KERNELS
from subpixel.runtimes import Execution
from subpixel.training.model_files import model_file


def candidates(names: Sequence[str] | None) -> list[Candidate]:
    """The named models; by default every model of the package, and bicubic at each of their scales.

    Raises: UnknownName, BadWeights.
    """
    chosen = [candidate(name) for name in names or models.enlarging()]
    return chosen if names else [*map(bicubic, sorted({c.scale for c in chosen})), *chosen]


def candidate(name: str, scale: int | None = None) -> Candidate:
    """A model of the package, a family, a kernel, an .onnx file, a training run's folder or checkpoint, in f32.

    scale: by default the model's own, 2 for a family or a kernel; a model goes on to others as `Upscaler` does.
    Raises: UnknownName; BadWeights; as `model_file`.
    """
    if name in KERNELS:
        return Candidate(name, scale or 2, Upscaler(name, scale=scale or 2))
    in_family = matching_models(str(ModelName(name, scale or 2)), models.names())
    chosen = in_family[0] if in_family else model_file(name, scale)
    try:
        model = models.load(chosen)
    except UnknownName:
        families = {known.family for text in models.names() if (known := ModelName.parse(text))}
        raise UnknownName("model", name, {*models.names(), *families, *KERNELS}) from None
    card, upscale = model.card, Upscaler(chosen, scale=scale, execution=Execution(precision="f32"))
    label = card.name if model.of_package else Path(chosen).name  # a file is never taken for the model of its name
    paper = card.family if card.arch in archs.NAMES and scale in (None, card.scale) else ""
    return Candidate(label, scale or card.scale, upscale, paper=paper)


def write_cards(report: Report) -> None:
    """Writes the means of a report into the cards of the shipped models that it measured, beside other scores.

    Files of the user's own keep theirs.
    """
    for name in models.names():
        new = [
            models.Score(dataset=m.dataset, metric=m.metric, value=round(m.value, 4), protocol=str(report.protocol))
            for m in report.means()
            if m.model == name
        ]
        if new:
            measured = {(score.dataset, score.metric) for score in new}
            kept = [s for s in models.load(name).card.scores if (s.dataset, s.metric) not in measured]
            store.rewrite_card(store.FOLDER / f"{name}.onnx", scores=(*kept, *new))

"""Which networks an image goes through: those that were asked for, or what the report on the image calls for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from subpixel import models
from subpixel.analysis import Blur, DegradationReport
from subpixel.analysis.inspection import SHARP
from subpixel.deconvolution import Covariance
from subpixel.errors import BadRequest, UnknownName
from subpixel.inference.target import chain
from subpixel.models.naming import matching_models
from subpixel.ports import ModelName
from subpixel.resample import KERNELS

AUTO = "auto"
"""In place of a model: the report on each image decides."""
CLEAN, DEBLURRED, DEGRADED, BLIND, DETAILED = "swift", "swift-deblur", "restore", "restore-blind", "restore-gan"
"""The families for what is clean, for what a filter took a blur from, for what is degraded, for what is so in ways that
are not recognised; and the one that invents detail where none is left."""

Strength = Literal["auto"] | float
"""How much is undone: as much as was measured, or 0 (nothing) to 1 (the strongest that was trained)."""
Family = Mapping[int, str | models.Model]
"""Models of one kind by their factor; names are loaded when they are needed."""

WORTH = {"jpeg": 10 / 75, "noise": 2.75 / 25, "blur_xx": SHARP, "blur_yy": SHARP, "resampled": 0.1}
"""From where on restoring gains over enlarging alone, see decision 008: JPEG of quality 90, noise of 3 levels.

Below it an image is as good as clean.
"""
TOLD = 0.93
"""Of the width of a blur that was found, what a filter is told: a tenth too much costs more than a tenth too little."""
SLIGHT, WIDEST = 0.5, 0.8
"""Px of blur, as it is told: up to the first a filter and swift are better than restore where it is all that is wrong,
up to the second a filter and the network for what it leaves."""
_KNOBS = {
    "deblock": {"jpeg": 1.0},
    "denoise": {"noise": 1.0, "chroma_noise": 1.0},
    "deblur": {"blur_xx": 1.3**2, "blur_yy": 1.3**2},
}
"""What each strength sets of the condition at 1; the rest of its group is 0 then."""
_GROUPS = {
    "deblock": ("jpeg", "jpeg_unknown"),
    "denoise": ("noise", "chroma_noise", "shot", "noise_unknown"),
    "deblur": ("blur_xx", "blur_yy", "blur_xy", "resampled", "blur_unknown"),
}


@dataclass(frozen=True)
class Restoration:
    """How much of what is wrong with an image is undone, by a model that is told of it.

    Raises: BadRequest for a strength that is neither "auto" nor in 0..1.
    """

    denoise: Strength = "auto"
    deblock: Strength = "auto"
    """Of JPEG."""
    deblur: Strength = "auto"
    detail: float = 0.0
    """0 to 1: from what is most likely to what looks sharpest, on the way between the weights of two models."""
    grain: float = 0.0
    """How much of the noise that is taken away is given back, 0 to 1, as new noise: film without it looks like wax."""

    def __post_init__(self) -> None:
        for strength in fields(self):
            value = getattr(self, strength.name)
            if strength.name in ("detail", "grain") and value == "auto":
                raise BadRequest(f"{strength.name} 'auto'; expected a number from 0 to 1")
            if value != "auto" and not (isinstance(value, int | float) and 0 <= value <= 1):
                raise BadRequest(f"{strength.name} {value!r}; expected auto, or a number from 0 to 1")

    @property
    def removed(self) -> list[str]:
        """The strengths of what is to be undone in any image, and of the grain that comes back, where they are set."""
        return [name for name in (*_GROUPS, "grain") if getattr(self, name) not in ("auto", 0)]

    def condition(self, report: DegradationReport) -> dict[str, float]:
        """What a conditioned model is told: what the report says, or what is set in its place."""
        condition = report.condition()
        for knob, group in _GROUPS.items():
            strength = getattr(self, knob)
            if strength != "auto":
                condition |= dict.fromkeys(group, 0.0) | {name: strength * most for name, most in _KNOBS[knob].items()}
        return condition


@dataclass(frozen=True)
class Choice:
    """The networks for one image."""

    first: Family = field(default_factory=dict[int, "str | models.Model"])
    """What it goes through first, once where there is a `then`; empty: a kernel does all."""
    then: Family = field(default_factory=dict[int, "str | models.Model"])
    """What enlarges the result further."""
    condition: Mapping[str, float] | None = None
    """What the first network is told."""
    detail: float = 0.0
    """How far its weights are moved the way that leads from the network for the likely to the one for the eye."""
    blur: Covariance | None = None
    """What a filter undoes before the first network."""
    kernel: str = "bicubic"
    """Does what is left."""
    reason: str = ""
    """What was found that led to it."""

    def networks(self, height: int, width: int, sides: tuple[int, int]) -> list[str | models.Model]:
        """The models to go through, one after the other, to the height and width `sides` or beyond."""
        ratio = max(sides[0] / height, sides[1] / width)
        if not self.then or (ratio <= 1 and 1 not in self.first):
            return [self.first[scale] for scale in chain(height, width, sides, self.first)]
        scale = min((s for s in self.first if s >= ratio), default=max(self.first))
        return [self.first[scale], *(self.then[s] for s in chain(height * scale, width * scale, sides, self.then))]


def choose(report: DegradationReport, restoration: Restoration) -> Choice:
    """With `auto`: nothing is done about a clean image but enlarging it, and pixel art keeps its edges."""
    condition = restoration.condition(report)
    is_degraded = any(condition[name] >= least for name, least in WORTH.items()) or (
        report.unrecognised and any(condition[f"{part}_unknown"] for part in ("noise", "jpeg", "blur"))
    )
    if report.kind == "pixel-art" and not is_degraded:
        return Choice(kernel="nearest", reason=report.summary)
    share = TOLD**2 if restoration.deblur == "auto" else 1.0
    blur = (share * condition["blur_xx"], share * condition["blur_yy"], share * condition["blur_xy"])
    known = restoration.deblur != "auto" or (report.blur is not None and report.blur.source == "edges")
    if not (is_degraded or restoration.detail):
        return Choice(family(CLEAN), reason=report.summary)
    if known and _is_all(blur, condition) and not restoration.detail:
        if _axes(blur)[0] <= SLIGHT:
            return Choice(family(CLEAN), blur=blur, reason=report.summary)
        return Choice(family(DEBLURRED), family(CLEAN), blur=blur, reason=report.summary)
    first = family(BLIND if report.unrecognised else DEGRADED)
    return Choice(first, family(CLEAN), condition, restoration.detail, reason=report.summary)


def _is_all(blur: Covariance, condition: Mapping[str, float]) -> bool:
    """Whether a filter can undo all that is wrong: a round blur that leaves something of every frequency.

    One that runs along a line is a movement, whose spectrum changes its sign.
    """
    long, short = _axes(blur)
    others = (value for name, value in condition.items() if name not in ("blur_xx", "blur_yy", "blur_xy"))
    return long <= min(WIDEST, 2 * short) and not any(others)


def _axes(blur: Covariance) -> tuple[float, float]:
    """Its standard deviations in px, the longer one first."""
    return Blur(xx=blur[0], yy=blur[1], xy=blur[2]).axes[:2]


def family(model: str | Path | models.Model) -> Family:
    """The models of a family of the package's, or the one that a name, a path or a Model means.

    Raises: UnknownName with the closest name; BadWeights.
    """
    if isinstance(model, models.Model):
        return {model.card.scale: model}
    names = {text: name for text in models.names() if (name := ModelName.parse(text))}
    matching = matching_models(str(model), names)
    if matching:
        return {names[text].scale: text for text in matching}
    try:
        loaded = models.load(model)
    except UnknownName:
        families = {name.family for name in names.values()}
        raise UnknownName("model", str(model), {AUTO, *names, *families, *KERNELS}) from None
    return {loaded.card.scale: loaded}


def detail_pair(card: models.Card) -> tuple[str, str]:
    """The models between which a model of their structure learns to invent. Raises: BadRequest for one of another."""
    if card.family not in (DEGRADED, BLIND):
        raise BadRequest(f"detail: {card.name} has no counterpart that invents any; use {AUTO} or {DEGRADED}")
    return str(ModelName(DEGRADED, card.scale)), str(ModelName(DETAILED, card.scale))


def default_factor(of: Family) -> int:
    """What a family enlarges by where nothing is asked for: by least, but not by 1 if it can do more."""
    return min((scale for scale in of if scale > 1), default=min(of, default=2))

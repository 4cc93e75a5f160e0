"""Measured values with everything that is needed to compare them: protocol, degradation, published values."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from subpixel.errors import BadRequest


@dataclass(frozen=True)
class Row:
    """One value of one image."""

    model: str
    dataset: str
    scale: int
    image: str
    metric: str
    value: float


@dataclass(frozen=True)
class Published:
    """A value that somebody published for the mean over a data set."""

    model: str
    dataset: str
    scale: int
    metric: str
    value: float
    source: str


@dataclass(frozen=True)
class Mean:
    """The mean of the images' values, as the field does it, and what was published."""

    model: str
    dataset: str
    scale: int
    metric: str
    value: float
    images: int
    published: float | None
    source: str

    @property
    def difference(self) -> float | None:
        """Ours minus the published value."""
        return None if self.published is None else self.value - self.published


@dataclass(frozen=True)
class Report:
    """What was measured, and how; it prints as a Markdown table."""

    protocol: str
    degradation: str
    rows: tuple[Row, ...]
    published: tuple[Published, ...] = ()
    notes: tuple[str, ...] = ()

    def means(self) -> list[Mean]:
        """One line for each model, data set, scale and metric, in the order of measurement."""
        groups: dict[tuple[str, str, int, str], list[float]] = {}
        for row in self.rows:
            groups.setdefault((row.model, row.dataset, row.scale, row.metric), []).append(row.value)
        published = {(p.model, p.dataset, p.scale, p.metric): (p.value, p.source) for p in self.published}
        return [
            Mean(*key, math.fsum(values) / len(values), len(values), *published.get(key, (None, "")))
            for key, values in groups.items()
        ]

    def mean(self, model: str, dataset: str, scale: int, metric: str) -> float:
        """One of the means. Raises: BadRequest if it was not measured."""
        for line in self.means():
            if (line.model, line.dataset, line.scale, line.metric) == (model, dataset, scale, metric):
                return line.value
        raise BadRequest(f"{metric} of {model} x{scale} on {dataset} is not in this report")

    def markdown(self) -> str:
        """The means as a table under the protocol and the degradation."""
        table = [
            "| model | data set | scale | metric | measured | published | difference | source |",
            "|---|---|---|---|---|---|---|---|",
        ]
        notes = [f"\n{note}" for note in self.notes]
        return "\n".join([self._header(), *table, *(_line(mean) for mean in self.means()), *notes]) + "\n"

    __str__ = markdown

    def images(self) -> str:
        """Every image's values in a table for each model, data set and scale, with their mean, under the protocol."""
        groups = dict.fromkeys((row.model, row.dataset, row.scale) for row in self.rows)
        return "\n".join([self._header(), *(self._image_table(*group) for group in groups), *self.notes, ""])

    def csv(self) -> str:
        """Every value of every image, then the means with no image's name; each line says how it was measured."""
        file = io.StringIO()
        names = [*Row.__dataclass_fields__, "published", "difference", "source", "protocol", "degradation"]
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        conditions = {"protocol": self.protocol, "degradation": self.degradation}
        writer.writerows(asdict(row) | conditions for row in self.rows)
        means = (asdict(mean) | {"image": "", "difference": mean.difference} for mean in self.means())
        writer.writerows(mean | conditions for mean in means)
        return file.getvalue()

    def json(self) -> str:
        """Everything: rows, means and published values; an infinite value as the string "inf"."""
        means = [asdict(mean) | {"difference": mean.difference} for mean in self.means()]
        report = {
            "protocol": self.protocol,
            "degradation": self.degradation,
            "means": [_finite(mean) for mean in means],
            "rows": [_finite(asdict(row)) for row in self.rows],
            "notes": list(self.notes),
        }
        return json.dumps(report, indent=1, allow_nan=False) + "\n"

    def _header(self) -> str:
        return f"Protocol: {self.protocol}. Degradation: {self.degradation}.\n"

    def _image_table(self, model: str, dataset: str, scale: int) -> str:
        key = (model, dataset, scale)
        values: dict[str, dict[str, float]] = {}
        for row in self.rows:
            if (row.model, row.dataset, row.scale) == key:
                values.setdefault(row.image, {})[row.metric] = row.value
        means = {mean.metric: mean for mean in self.means() if (mean.model, mean.dataset, mean.scale) == key}
        lines = [f"{model} x{scale}, {dataset}:\n", _cells("image", *means), "|---" * (len(means) + 1) + "|"]
        for image, by_metric in values.items():
            lines.append(_cells(image, *(_value(m, by_metric[m]) if m in by_metric else "" for m in means)))
        lines.append(_cells("**mean**", *(_value(metric, mean.value) for metric, mean in means.items())))
        sources = dict.fromkeys(mean.source for mean in means.values() if mean.source)
        for source in sources:
            published = (_published(mean) if mean.source == source else "" for mean in means.values())
            lines.append(_cells(f"published ({source})", *published))
        return "\n".join(lines) + "\n"


def merged(reports: list[Report]) -> Report:
    """One report out of several.

    Raises: BadRequest if there is none, or protocols or degradations differ: such values are not comparable.
    """
    conditions = {(r.protocol, r.degradation) for r in reports}
    if len(conditions) != 1:
        raise BadRequest(f"{len(conditions)} protocols or degradations in {len(reports)} reports; expected one")
    rows = tuple(row for r in reports for row in r.rows)
    published = tuple(dict.fromkeys(p for r in reports for p in r.published))
    notes = tuple(dict.fromkeys(note for r in reports for note in r.notes))
    return Report(*conditions.pop(), rows, published, notes)


def _line(mean: Mean) -> str:
    published = "" if mean.published is None else f"{mean.published:.{_digits(mean.metric) - 1}f}"
    difference = "" if mean.difference is None else f"{mean.difference:+.{_digits(mean.metric)}f}"
    name = (mean.model, mean.dataset, f"x{mean.scale}", mean.metric)
    return _cells(*name, _value(mean.metric, mean.value), published, difference, mean.source)


def _published(mean: Mean) -> str:
    digits = _digits(mean.metric)
    return f"{mean.published:.{digits - 1}f} ({mean.difference:+.{digits}f})"


def _cells(*cells: str) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _value(metric: str, value: float) -> str:
    return f"{value:.{_digits(metric)}f}"


def _digits(metric: str) -> int:
    """Decimals of a value, one more than published tables have."""
    return 3 if metric == "psnr" else 5


def _finite(values: Mapping[str, object]) -> dict[str, object]:
    return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}

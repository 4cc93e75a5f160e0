"""The small perceptron that reads noise and blur out of `statistics`; trained by zoo/estimator.py, run by numpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from subpixel.images import Floats

TARGETS = ("sigma", "chroma", "shot", "blur_xx", "blur_yy", "blur_xy", "resampled", "drawn")
"""What it says of an image: see `report`; resampled: 1 - the native size, drawn: log odds of a drawing."""
UNITS = np.array([5.0, 5.0, 0.5, 0.5, 0.5, 0.5, 0.2, 1.0], np.float32)
"""The size of each number, so that all weigh alike in training."""


@dataclass(frozen=True)
class Estimate:
    """A number and how far off it is on average: errors are Laplace distributed with this scale."""

    value: float
    spread: float

    def chance(self, tolerance: float) -> float:
        """How likely the error is at most the tolerance."""
        return float(1 - np.exp(-tolerance / self.spread))


def estimate(vector: Floats) -> dict[str, Estimate]:
    """What the statistics of an image say, by the names of TARGETS."""
    weights = _weights()
    hidden = (vector - weights["mean"]) / weights["deviation"]
    layers = sum(name.startswith("weight") for name in weights)
    for k in range(layers):
        hidden = hidden @ weights[f"weight{k}"] + weights[f"bias{k}"]
        hidden = np.maximum(hidden, 0) if k < layers - 1 else hidden
    values, spreads = hidden[: len(TARGETS)] * UNITS, np.exp(hidden[len(TARGETS) :]) * UNITS
    return {
        name: Estimate(float(value), float(spread))
        for name, value, spread in zip(TARGETS, values, spreads, strict=True)
    }


@cache
def _weights() -> dict[str, Floats]:
    with (resources.files("subpixel.analysis") / "estimator.npz").open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}

"""The small perceptron that reads noise and blur out of `statistics`; trained by zoo/estimator.py, run by numpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from subpixel.analysis.statistics import derived
from subpixel.images import Floats

TARGETS = ("sigma", "chroma", "shot", "blur_xx", "blur_yy", "blur_xy", "resampled", "drawn")
"""What it says of an image: see `report`; resampled: 1 - the native size, drawn: log odds of a drawing."""
UNITS = np.array([1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.2, 1.0], np.float32)
"""The size of each number as it is learned, so that all weigh alike."""
LIMIT = 4.0
"""Deviations from the mean beyond which a statistic counts no more."""
_BENT = 2  # of the numbers, the first: deviations of noise are learned as asinh(2 sigma), nearly their logarithms


def learned(values: Floats) -> Floats:
    """Numbers (..., TARGETS) as the perceptron learns them."""
    bent = np.concatenate([np.arcsinh(2 * values[..., :_BENT]), values[..., _BENT:]], axis=-1)
    return (bent / UNITS).astype(np.float32)


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
    given = np.clip((derived(vector) - weights["mean"]) / weights["deviation"], -LIMIT, LIMIT)
    hidden = np.maximum(given @ weights["weight0"] + weights["bias0"], 0)
    hidden = np.maximum(hidden @ weights["weight1"] + weights["bias1"], 0)
    out = hidden @ weights["weight2"] + weights["bias2"]
    out[: len(TARGETS)] += given @ weights["linear"]
    values, spreads = out[: len(TARGETS)] * UNITS, np.exp(out[len(TARGETS) :]) * UNITS
    spreads[:_BENT] *= np.cosh(values[:_BENT]) / 2
    values[:_BENT] = np.sinh(values[:_BENT]) / 2
    return {
        name: Estimate(float(value), float(spread))
        for name, value, spread in zip(TARGETS, values, spreads, strict=True)
    }


@cache
def _weights() -> dict[str, Floats]:
    with (resources.files("subpixel.analysis") / "estimator.npz").open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}

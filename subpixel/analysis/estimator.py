"""The small perceptron that reads noise and blur out of `statistics`; trained by zoo/estimator.py, run by numpy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from subpixel.analysis.noise import COUNT, expected
from subpixel.analysis.statistics import derived
from subpixel.images import Floats

HEADS = {
    "noise": ("sigma", "chroma", "shot", "noisy"),
    "blur": ("blur_xx", "blur_yy", "blur_xy", "resampled", "blurred", "drawn"),
}
"""What each perceptron says of an image: numbers of `report` (resampled: 1 - native size), and log odds.

The numbers of noise hold where it is noisy, those of blur where it is blurred.
"""
TARGETS = HEADS["noise"] + HEADS["blur"]
ODDS = ("noisy", "blurred", "drawn")
UNITS = np.array([1.0, 1.0, 0.5, 1.0, 0.5, 0.5, 0.5, 0.2, 1.0, 1.0], np.float32)
"""The size of each number as it is learned, so that all weigh alike."""
LIMIT = 4.0
"""Deviations from the mean beyond which a statistic counts no more."""
_BENT, _KNEE = 2, 4.0  # the first numbers, deviations, are learned as levels below the knee, by ratio above it


def inputs(head: str, vector: Floats) -> Floats:
    """What a perceptron sees of the numbers (..., n) of `statistics`."""
    return vector[..., -COUNT:] if head == "noise" else derived(vector)


def initial_deviations(vector: Floats) -> Floats:
    """What the head of noise begins with and corrects: the deviations of white noise, as they are learned."""
    bent = _KNEE * np.arcsinh(expected(vector) / _KNEE)
    return np.pad(bent, [(0, 0)] * (vector.ndim - 1) + [(0, 2)]).astype(np.float32)


def learned(values: Floats) -> Floats:
    """Numbers (..., TARGETS) as the perceptrons learn them."""
    bent = np.concatenate([_KNEE * np.arcsinh(values[..., :_BENT] / _KNEE), values[..., _BENT:]], axis=-1)
    return (bent / UNITS).astype(np.float32)


@dataclass(frozen=True)
class Estimate:
    """A number and how far off it is on average: errors are Laplace distributed with this scale."""

    value: float
    spread: float

    @property
    def probability(self) -> float:
        """The probability, where the value is log odds."""
        return float(1 / (1 + np.exp(-self.value)))

    def probability_within(self, tolerance: float) -> float:
        """The probability that the error is at most the tolerance."""
        return float(1 - np.exp(-tolerance / self.spread))


def estimate(vector: Floats) -> dict[str, Estimate]:
    """What the statistics of an image say, by the names of TARGETS."""
    outs = [_run(head, inputs(head, vector)) for head in HEADS]
    values = np.concatenate([out[: len(out) // 2] for out in outs]) * UNITS
    spreads = np.exp(np.concatenate([out[len(out) // 2 :] for out in outs])) * UNITS
    spreads[:_BENT] *= np.cosh(values[:_BENT] / _KNEE)
    values[:_BENT] = _KNEE * np.sinh(values[:_BENT] / _KNEE)
    return {
        name: Estimate(float(value), float(spread))
        for name, value, spread in zip(TARGETS, values, spreads, strict=True)
    }


def _run(head: str, vector: Floats) -> Floats:
    """The numbers of a head and the logarithms of their spreads."""
    weights = {key.removeprefix(f"{head}."): value for key, value in _weights().items() if key.startswith(head)}
    given = np.clip((vector - weights["mean"]) / weights["deviation"], -LIMIT, LIMIT)
    hidden = np.maximum(given @ weights["weight0"] + weights["bias0"], 0)
    hidden = np.maximum(hidden @ weights["weight1"] + weights["bias1"], 0)
    out = hidden @ weights["weight2"] + weights["bias2"]
    first = initial_deviations(vector) if head == "noise" else given @ weights["linear"]
    return out + np.pad(first, (0, len(out) // 2))


@cache
def _weights() -> dict[str, Floats]:
    with (resources.files("subpixel.analysis") / "estimator.npz").open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}

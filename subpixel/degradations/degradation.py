"""What a degradation is: a value that makes an image worse, from the same seed always the same way."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rng = np.random.Generator


LABELS = {
    "factor": 1.0, "blur_xx": 0.0, "blur_yy": 0.0, "blur_xy": 0.0, "noise_sigma": 0.0, "jpeg_quality": 100.0,
}  # fmt: skip
"""What `Degradation.vector` can say, with the values of an image that was not degraded."""


class Degradation(ABC):
    """D of I_LR = D(I_HR; sigma): a frozen value that prints as the code that makes it."""

    @abstractmethod
    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        """H W C (C = 1 or 3) float32 in [0, 1] -> the same kind, perhaps of another size."""

    def sample(self, rng: Rng) -> Degradation:
        """The same with every parameter fixed; most degradations have no other kind."""
        del rng
        return self

    def vector(self) -> dict[str, float]:
        """What an estimator learns: labels by name, empty where there is none and for what is not yet sampled.

        `factor`: output sides by input sides; `blur_xx`, `blur_yy`, `blur_xy`: second moments of the kernel, in
        px^2 of the output, x to the right and y up; `noise_sigma`: standard deviation of the noise as it is added, at
        a pixel of value 1; `jpeg_quality`: 1 to 100, of the last file.
        """
        return {}

    def labels(self) -> Floats:
        """The vector as an array, in the order of LABELS, with the value of an undegraded image for what is missing."""
        vector = self.vector()
        return np.array([vector.get(name, neutral) for name, neutral in LABELS.items()], np.float32)


@dataclass(frozen=True)
class Chain(Degradation):
    """One step after the other; an empty chain changes nothing."""

    steps: tuple[Degradation, ...] = ()

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        for step in self.steps:
            pixels = step.apply(pixels, rng)
        return pixels

    def sample(self, rng: Rng) -> Degradation:
        return Chain(tuple(step.sample(rng) for step in self.steps))

    def vector(self) -> dict[str, float]:
        return reduce(combined, (step.vector() for step in self.steps), {})


IDENTITY = Chain()
"""What changes nothing."""


_SUMS: dict[str, Callable[[float, float], float]] = {
    "factor": operator.mul,
    "blur_xx": operator.add,
    "blur_yy": operator.add,
    "blur_xy": operator.add,
    "noise_sigma": math.hypot,
}


def combined(first: dict[str, float], then: dict[str, float]) -> dict[str, float]:
    """The labels of two degradations one after the other: what was blurred before a resizing is resized with it."""
    area = then.get("factor", 1.0) ** 2
    scaled = {name: value * area if name.startswith("blur_") else value for name, value in first.items()}
    sums = {name: add(scaled[name], then[name]) for name, add in _SUMS.items() if name in scaled and name in then}
    return scaled | then | sums

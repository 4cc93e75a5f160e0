"""What a degradation is: a value that makes an image worse, from the same seed always the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from subpixel.degradations.labels import Traces

Floats = NDArray[np.float32]
Rng = np.random.Generator


class Degradation(ABC):
    """D of I_LR = D(I_HR; sigma): a frozen value that prints as the code that makes it."""

    @abstractmethod
    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        """H W C float32 in [0, 1] -> the same kind, perhaps of another size."""

    def sample(self, rng: Rng) -> Degradation:
        """The same with every parameter fixed; most degradations have no other kind."""
        del rng
        return self

    def trace(self, traces: Traces) -> Traces:
        """What an image has left in it after this step; a distribution, of which nothing is known, leaves nothing."""
        return traces

    def vector(self, gray: bool = False) -> dict[str, float]:
        """What an estimator learns: see `LABELS`. gray: of an image of one channel."""
        return self.trace(Traces(gray=gray)).labels()

    def labels(self, gray: bool = False) -> Floats:
        """The vector as an array, in the order of LABELS; a degradation of one's own may have other numbers."""
        return np.array(list(self.vector(gray).values()), np.float32)


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

    def trace(self, traces: Traces) -> Traces:
        return reduce(lambda so_far, step: step.trace(so_far), self.steps, traces)


IDENTITY = Chain()
"""What changes nothing."""

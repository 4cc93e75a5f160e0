"""What a degradation is: a value that makes an image worse, from the same seed always the same way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rng = np.random.Generator


class Degradation(ABC):
    """D of I_LR = D(I_HR; sigma): a frozen value that prints as the code that makes it."""

    @abstractmethod
    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        """H W C (C = 1 or 3) float32 in [0, 1] -> the same kind, perhaps of another size."""

    def sample(self, rng: Rng) -> Degradation:
        """The same with every parameter fixed; most degradations have no other kind."""
        del rng
        return self

    def vector(self) -> Floats | None:
        """The L numbers of a sampled degradation that an estimator learns; None: nothing, as of most."""
        return None


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

    def vector(self) -> Floats | None:
        vectors = [vector for step in self.steps if (vector := step.vector()) is not None]
        return np.concatenate(vectors) if vectors else None


IDENTITY = Chain()
"""What changes nothing."""

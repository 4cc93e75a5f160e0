"""Degradations with open parameters: `sample` fixes them."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from dataclasses import dataclass, fields
from itertools import accumulate
from typing import Any

from subpixel.degradations.degradation import Chain, Degradation, Floats, Rng
from subpixel.errors import BadRequest


class Distribution(Degradation):
    """A degradation that is another one each time; `apply` samples anew."""

    @abstractmethod
    def sample(self, rng: Rng) -> Degradation:
        """One degradation with every parameter fixed."""

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        return self.sample(rng).apply(pixels, rng)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Every number evenly between those of two degradations of one kind; whole numbers reach both ends."""

    low: Degradation
    high: Degradation

    def __post_init__(self) -> None:
        if type(self.low) is not type(self.high):
            kinds = f"{type(self.low).__name__} and {type(self.high).__name__}"
            raise BadRequest(f"low and high are {kinds}; expected the same kind")
        for name, low, high in self._bounds():
            if low != high and not (_is_number(low) and _is_number(high) and low < high):
                raise BadRequest(f"{name} runs from {low!r} to {high!r}; expected equal values or rising numbers")

    def sample(self, rng: Rng) -> Degradation:
        return type(self.low)(**{name: _draw(low, high, rng) for name, low, high in self._bounds()})

    def _bounds(self) -> list[tuple[str, Any, Any]]:
        names = [f.name for f in fields(self.low)]  # pyright: ignore[reportArgumentType]
        return [(name, getattr(self.low, name), getattr(self.high, name)) for name in names]


@dataclass(frozen=True)
class Choice(Distribution):
    """One of several, each with its share of the cases; without weights, all alike."""

    options: tuple[Degradation, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.options:
            raise BadRequest("options are empty; expected at least one degradation")
        if self.weights and len(self.weights) != len(self.options):
            raise BadRequest(f"{len(self.weights)} weights for {len(self.options)} options; expected as many")
        if self.weights and (min(self.weights) < 0 or not sum(self.weights) > 0):
            raise BadRequest(f"weights are {self.weights}; expected none below 0 and one above")

    def sample(self, rng: Rng) -> Degradation:
        shares = list(accumulate(self.weights or (1.0,) * len(self.options)))
        return self.options[bisect_right(shares, rng.random() * shares[-1])].sample(rng)


@dataclass(frozen=True)
class RandomOrder(Distribution):
    """All steps, in any order (BSRGAN, Zhang et al. 2021, section 3.4)."""

    steps: tuple[Degradation, ...]

    def sample(self, rng: Rng) -> Degradation:
        return Chain(tuple(self.steps[int(k)].sample(rng) for k in rng.permutation(len(self.steps))))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw(low: Any, high: Any, rng: Rng) -> Any:
    if low == high:
        return low
    if isinstance(low, int) and isinstance(high, int):
        return int(rng.integers(low, high, endpoint=True))
    return float(rng.uniform(low, high))

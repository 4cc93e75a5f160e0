"""What a filter makes of a blurred image whose blur was read a little wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from subpixel.deconvolution import wiener
from subpixel.degradations.blur import convolved
from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.degradations.labels import Traces
from subpixel.errors import BadRequest


@dataclass(frozen=True)
class Deblurred(Degradation):
    """A degradation, and the filter for the blur it leaves: what a network that enlarges such images learns from.

    The filter is told the width of the blur as an estimate would: right but for a factor that is log-normal.
    """

    before: Degradation
    error: float = 0.15
    """Standard deviation of the logarithm of that factor."""

    def __post_init__(self) -> None:
        if not 0 <= self.error < math.inf:
            raise BadRequest(f"error is {self.error}; expected a number from 0")

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        blurred = self.before.apply(pixels, rng)
        factor = math.exp(2 * self.error * rng.normal())
        xx, yy, xy = self.before.trace(Traces()).blur
        return convolved(blurred, wiener((factor * xx, factor * yy, factor * xy)))

    def sample(self, rng: Rng) -> Degradation:
        return replace(self, before=self.before.sample(rng))

    def trace(self, traces: Traces) -> Traces:
        return replace(self.before.trace(traces), blur=(0.0, 0.0, 0.0))

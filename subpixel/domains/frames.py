"""Where pixels lie in the world, and what becomes of that when they grow smaller.

Positions are (x, y) in pixels from the outer corner of the first pixel: its centre is (0.5, 0.5), and in the result of
factors (down, across) the same place is (across x, down y).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UnwritableImage

Factors = tuple[float, float]
"""By how much height and width grow."""
Points = NDArray[np.float64]
_COMPARED = 200
_TOLERANCE = 1e-6


class Frame(Protocol):
    """The coordinates of a plane."""

    @property
    def precision(self) -> float: ...
    def world(self, points: Points) -> Points:
        """Positions, N 2, to coordinates, N K."""
        ...

    def pixel(self, coordinates: Points) -> Points:
        """Coordinates, N K, to positions, N 2."""
        ...


@dataclass(frozen=True, eq=False)
class AffineFrame:
    """origin + x across + y down, in as many dimensions as the world has."""

    origin: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]
    precision: float = 0.0
    """Of the numbers that a format has for coordinates, in pixels: NIfTI's have 24 bits."""

    @classmethod
    def of(cls, origin: Any, across: Any, down: Any) -> Self:
        first, second, third = (np.asarray(vector, np.float64) for vector in (origin, across, down))
        return cls(first, second, third)

    def scaled(self, factors: Factors) -> Self:
        """Those of the result."""
        return type(self)(self.origin, self.across / factors[1], self.down / factors[0], self.precision)

    def world(self, points: Points) -> Points:
        return self.origin + points[:, :1] * self.across + points[:, 1:] * self.down

    def pixel(self, coordinates: Points) -> Points:
        return (coordinates - self.origin) @ np.linalg.pinv(np.stack([self.across, self.down]))


def nowhere(height: int, width: int) -> AffineFrame:
    """That of an image which says nothing of where it is: shares of its own width and height."""
    return AffineFrame.of((0, 0), (1 / width, 0), (0, 1 / height))


def verify(name: object, source: Frame, result: Frame, sides: tuple[int, int], factors: Factors) -> None:
    """Compares 200 points of a frame and of the one that was read back from the result.

    sides: height and width of the source. Raises: UnwritableImage where one is off by
    more than 1e-6 pixel and what the format rounds.
    """
    unit = np.random.default_rng(0).random((_COMPARED, 2))
    points = unit * (sides[1], sides[0])
    there = source.pixel(result.world(points * (factors[1], factors[0])))
    off = float(np.max(np.abs(there - points)))
    if not off <= _TOLERANCE + result.precision:  # NaN too
        why = f"its coordinates would be off by {off:.3g} pixels, more than {_TOLERANCE:g}"
        raise UnwritableImage(str(name), why)

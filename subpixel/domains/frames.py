"""Where pixels lie in the world, and what becomes of that when they grow smaller.

Positions are (x, y) in pixels from the outer corner of the first pixel: its centre is (0.5, 0.5), and in the result of
factors (down, across) of a window the same place is (across (x - window.x), down (y - window.y)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UnwritableImage
from subpixel.inference.window import Window

Factors = tuple[float, float]
"""By how much height and width grow."""
Points = NDArray[np.float64]
_COMPARED = 200
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Grid:
    """The pixels of a result, and the part of its source that they cover."""

    window: Window
    height: int
    width: int

    @property
    def factors(self) -> Factors:
        """How many times as high, and as wide, the part becomes."""
        return self.height / self.window.height, self.width / self.window.width

    @property
    def units(self) -> tuple[int, int]:
        """The fewest rows, and columns, of the source that are a whole number of those of the result."""
        window = self.window
        return (
            window.height // math.gcd(window.height, self.height),
            window.width // math.gcd(window.width, self.width),
        )

    def counted(self, rows: int, columns: int) -> tuple[int, int]:
        """So many rows and columns of the source, multiples of the units, as pixels of the result."""
        return rows * self.height // self.window.height, columns * self.width // self.window.width

    def moved(self, axis: int, position: float) -> float:
        """A position of the source in the result, both from the corner. axis: 0 down, 1 across."""
        return (position - (self.window.y, self.window.x)[axis]) * self.factors[axis]


class Frame(Protocol):
    """The coordinates of a plane."""

    @property
    def precision(self) -> float:
        """By how much the format rounds it, in pixels of the source."""
        ...

    @property
    def placed(self) -> bool:
        """Whether they are of the world, and not of the image alone."""
        ...

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
    placed: bool = True

    @classmethod
    def of(cls, origin: Any, across: Any, down: Any) -> Self:
        """Of three vectors of the world, of any numbers."""
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
    return AffineFrame(np.zeros(2), np.array([1 / width, 0]), np.array([0, 1 / height]), placed=False)


def verify(name: object, source: Frame, result: Frame, grid: Grid) -> None:
    """Compares 200 points of a frame and of the one that was read back from the result.

    Raises: UnwritableImage where one is off by more than 1e-6 pixel and what the format rounds.
    """
    if not (source.placed or result.placed):
        return
    unit, window = np.random.default_rng(0).random((_COMPARED, 2)), grid.window
    points = unit * (window.width, window.height) + (window.x, window.y)
    known, world = np.isfinite(source.world(points)).all(1), result.world(unit * (grid.width, grid.height))
    off = np.nan
    if known.any() and np.array_equal(known, np.isfinite(world).all(1)):  # a map of the sky has corners outside of it
        off = float(np.max(np.abs(source.pixel(world[known]) - points[known])))
    if not off <= _TOLERANCE + result.precision:  # NaN too
        why = f"its coordinates would be off by {off:.3g} pixels, more than {_TOLERANCE:g}"
        raise UnwritableImage(str(name), why)

"""How a frame lies on the reference: an affine map and, of rolling shutters and water, what places do beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Points = tuple[NDArray[Any], NDArray[Any]]
"""Columns and rows; a pixel's centre is a whole number, and (0, 0) the first."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Where in the reference the pixels of a frame lie: `matrix` (2, 3) times (x, y, 1), in pixels of either.

    wobble: (n, m, 2) shifts in x and y of n rows and m columns spread evenly from the frame's first to its last,
    linear in between: one column of a rolling shutter, more of what sways. height, width: the frame's.
    """

    matrix: NDArray[np.float64] = field(default_factory=lambda: np.eye(2, 3))
    wobble: NDArray[np.float64] = field(default_factory=lambda: np.zeros((1, 1, 2)))
    height: int = 1
    width: int = 1

    @classmethod
    def shift(cls, x: float, y: float) -> Self:
        """A translation."""
        return cls(np.array([[1.0, 0.0, x], [0.0, 1.0, y]]))

    @classmethod
    def euclidean(cls, degrees: float, x: float, y: float, height: int, width: int) -> Self:
        """A turn around the middle of an image, counter-clockwise as it is seen, and then a shift."""
        angle, middle = np.deg2rad(degrees), np.array([(width - 1) / 2, (height - 1) / 2])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return cls(np.column_stack([turn, middle - turn @ middle + (x, y)]))

    def __call__(self, x: NDArray[Any], y: NDArray[Any]) -> Points:
        """Positions in the frame -> positions in the reference."""
        (a, b, c), (d, e, f) = self.matrix
        u, v = a * x + b * y + c, d * x + e * y + f
        if not self.wobble.any():
            return u, v
        dx, dy = sample(self.wobble.transpose(2, 0, 1), *self.nodes(x, y))
        return u + dx, v + dy

    def nodes(self, x: NDArray[Any], y: NDArray[Any]) -> Points:
        """Positions in the frame -> positions in the wobble."""
        n, m = self.wobble.shape[:2]
        return x / max(1, self.width - 1) * (m - 1), y / max(1, self.height - 1) * (n - 1)

    def back(self, x: NDArray[Any], y: NDArray[Any]) -> Points:
        """Positions in the reference -> positions in the frame; the wobble is left out."""
        turn = np.linalg.inv(self.matrix[:, :2])
        dx, dy = x - self.matrix[0, 2], y - self.matrix[1, 2]
        return turn[0, 0] * dx + turn[0, 1] * dy, turn[1, 0] * dx + turn[1, 1] * dy

    def reduced(self, factor: float) -> Self:
        """The same motion of images `factor` times as small, whose pixels are areas of the large ones."""
        to_large = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])
        matrix = np.linalg.inv(to_large) @ np.vstack([self.matrix, [0, 0, 1]]) @ to_large
        return type(self)(
            matrix[:2], self.wobble / factor, *(max(1, round(n / factor)) for n in (self.height, self.width))
        )


def sample(plane: NDArray[Any], x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Bilinear values of H W, or C H W, at positions in it; outside, those of the nearest border."""
    height, width = plane.shape[-2:]
    left = np.clip(np.floor(x), 0, max(0, width - 2)).astype(np.intp)
    top = np.clip(np.floor(y), 0, max(0, height - 2)).astype(np.intp)
    right, bottom = min(1, width - 1), min(1, height - 1)
    u = np.clip(x - left, 0, 1).astype(np.float32)
    v = np.clip(y - top, 0, 1).astype(np.float32)
    flat, first = plane.reshape(*plane.shape[:-2], -1), top * width + left
    above = gathered(flat, first) * (1 - u) + gathered(flat, first + right) * u
    first += bottom * width
    below = gathered(flat, first) * (1 - u) + gathered(flat, first + right) * u
    return above * (1 - v) + below * v


def gathered(lines: NDArray[Any], at: NDArray[np.intp]) -> NDArray[Any]:
    """(..., N), and indices below N of any shape -> (..., *shape): a quarter of the time of indexing."""
    return lines.take(at, -1, mode="clip")


def inside(shape: tuple[int, ...], x: NDArray[Any], y: NDArray[Any], margin: float = 0) -> NDArray[np.bool_]:
    """Which positions lie in an image of (..., height, width), so far from its border."""
    height, width = shape[-2:]
    return (x >= margin) & (x <= width - 1 - margin) & (y >= margin) & (y <= height - 1 - margin)

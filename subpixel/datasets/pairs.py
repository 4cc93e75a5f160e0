"""Random pairs of low- and high-resolution crops, both from files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.crops import check_sizes, drawn, stacked, turned
from subpixel.datasets.packed import Pack, Pixels


@dataclass(frozen=True)
class Pairs:
    """Aligned packs: picture i of `high` is `scale` times picture i of `low`, or has a few more rows and columns."""

    low: Pack
    high: Pack
    scale: int

    def check(self, patch: int) -> None:
        """Raises: DataError if a picture is smaller than the patch (low-resolution pixels)."""
        check_sizes(self.low, patch)

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> tuple[Pixels, Pixels]:
        """Random crops, flipped and rotated: uint8, size 3 patch patch, and size 3 s*patch s*patch."""
        return stacked([self._crop(rng, patch) for _ in range(size)])

    def _crop(self, rng: np.random.Generator, patch: int) -> tuple[Pixels, Pixels]:
        index = drawn(self._areas, rng)
        height, width = self.low.sizes[index]
        y, x = int(rng.integers(height - patch + 1)), int(rng.integers(width - patch + 1))
        turn = int(rng.integers(8))
        s = self.scale
        low = self.low[index][y : y + patch, x : x + patch]
        high = self.high[index][s * y : s * (y + patch), s * x : s * (x + patch)]
        return turned(low, turn), turned(high, turn)

    @cached_property
    def _areas(self) -> NDArray[np.float64]:
        return np.cumsum(self.low.sizes.prod(axis=1), dtype=np.float64)

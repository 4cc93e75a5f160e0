"""Random pairs of low- and high-resolution crops."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.packed import Pack, Pixels
from subpixel.errors import DataError


@dataclass(frozen=True)
class Pairs:
    """Aligned packs: picture i of `high` is `scale` times picture i of `low`."""

    low: Pack
    high: Pack
    scale: int

    def check(self, patch: int) -> None:
        """Raises: DataError if a picture is smaller than the patch (low-resolution pixels)."""
        height, width = self.low.sizes.min(axis=0)
        if min(height, width) < patch:
            raise DataError(f"a low-resolution picture is {width}x{height}, smaller than the patch of {patch}")

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> tuple[Pixels, Pixels]:
        """Random crops, flipped and rotated: uint8, size 3 patch patch, and size 3 s*patch s*patch."""
        crops = [self._crop(rng, patch) for _ in range(size)]
        low, high = (np.stack([c[k] for c in crops]) for k in (0, 1))
        return np.ascontiguousarray(low.transpose(0, 3, 1, 2)), np.ascontiguousarray(high.transpose(0, 3, 1, 2))

    def _crop(self, rng: np.random.Generator, patch: int) -> tuple[Pixels, Pixels]:
        areas = self._areas
        index = int(np.searchsorted(areas, rng.random() * areas[-1], side="right"))
        height, width = self.low.sizes[index]
        y, x = int(rng.integers(height - patch + 1)), int(rng.integers(width - patch + 1))
        turn = int(rng.integers(8))
        s = self.scale
        low = self.low[index][y : y + patch, x : x + patch]
        high = self.high[index][s * y : s * (y + patch), s * x : s * (x + patch)]
        return turned(low, turn), turned(high, turn)

    @cached_property
    def _areas(self) -> NDArray[np.float64]:
        """Cumulative areas: a large picture is drawn more often than a small one."""
        return np.cumsum(self.low.sizes.prod(axis=1), dtype=np.float64)


def turned(pixels: Pixels, turn: int) -> Pixels:
    """One of the eight symmetries of the square: quarter turns, the upper four mirrored first. H W C."""
    return np.rot90(pixels[:, ::-1] if turn >= 4 else pixels, turn % 4)

"""Random pairs of low- and high-resolution crops, both from files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.packed import PackedImages
from subpixel.datasets.patches import check_sizes, collate, dihedral, sample_index
from subpixel.datasets.sample import Arrays, Sample


@dataclass(frozen=True)
class Pairs:
    """Aligned packs: image i of `high` is `scale` times image i of `low`, or has a few more rows and columns."""

    low: PackedImages
    high: PackedImages
    scale: int

    def check(self, patch: int) -> None:
        """Raises: DataError if an image is smaller than the patch (low-resolution pixels)."""
        check_sizes(self.low.names, self.low.sizes, patch)

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> Arrays:
        """Random crops, flipped and rotated: uint8, size C patch patch, and size C s*patch s*patch."""
        return collate([self._crop(rng, patch) for _ in range(size)])

    def _crop(self, rng: np.random.Generator, patch: int) -> Arrays:
        index = sample_index(self._areas, rng)
        height, width = self.low.sizes[index]
        y, x = int(rng.integers(height - patch + 1)), int(rng.integers(width - patch + 1))
        symmetry = int(rng.integers(8))
        s = self.scale
        low = self.low[index][y : y + patch, x : x + patch]
        high = self.high[index][s * y : s * (y + patch), s * x : s * (x + patch)]
        return Sample(dihedral(low, symmetry), dihedral(high, symmetry))

    @cached_property
    def _areas(self) -> NDArray[np.float64]:
        return np.cumsum(self.low.sizes.prod(axis=1), dtype=np.float64)

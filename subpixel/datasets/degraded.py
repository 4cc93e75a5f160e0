"""Random pairs of crops whose low resolution is degraded on the fly, anew for every crop."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.packed import PackedImages, Pixels
from subpixel.datasets.patches import check_sizes, collate, dihedral, sample_index
from subpixel.datasets.sample import Arrays, Sample
from subpixel.errors import DataError
from subpixel.images import Floats, dequantise, quantise


class Degradation(Protocol):
    """What is needed of a degradation; those of `subpixel.degradations` are such."""

    def sample(self, rng: np.random.Generator, /) -> Self | Degradation:
        """The same with every parameter fixed."""
        ...

    def apply(self, pixels: Floats, rng: np.random.Generator, /) -> Floats:
        """H W C float32 in [0, 1] -> the same kind, perhaps of another size."""
        ...

    def labels(self, gray: bool = False, /) -> Floats:
        """What an estimator learns of it, L numbers. gray: of an image of one channel."""
        ...


@dataclass(frozen=True)
class Degraded:
    """Images at high resolution and the degradation that makes `1 / scale` of their sides."""

    high: PackedImages
    scale: int
    degradation: Degradation
    margin: int = 8
    """Low-resolution pixels around a crop that are degraded with it and then cut off: context for blur."""

    def check(self, patch: int) -> None:
        """Raises: DataError if an image is smaller than the patch or the degradation makes another size."""
        check_sizes(self.high.names, self.high.sizes, patch, self.scale)
        self.batch(np.random.default_rng(0), 1, patch)

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> Arrays:
        """Random crops, degraded, flipped and rotated: uint8, size C patch patch, and size C s*patch s*patch.

        labels: the labels of the degradation that was sampled for each crop.
        Raises: DataError if the degradation makes another size than 1 / scale.
        """
        return collate([self._crop(rng, patch) for _ in range(size)])

    def _crop(self, rng: np.random.Generator, patch: int) -> Arrays:
        index, s = sample_index(self._areas, rng), self.scale
        height, width = self.high.sizes[index] // s
        y, x = int(rng.integers(height - patch + 1)), int(rng.integers(width - patch + 1))
        symmetry = int(rng.integers(8))
        top, left = max(0, y - self.margin), max(0, x - self.margin)  # at the image's edge there is no context
        bottom, right = min(height, y + patch + self.margin), min(width, x + patch + self.margin)
        sampled = self.degradation.sample(rng)
        context = self._apply(sampled, self.high[index][s * top : s * bottom, s * left : s * right], rng)
        low = context[y - top : y - top + patch, x - left : x - left + patch]
        high = self.high[index][s * y : s * (y + patch), s * x : s * (x + patch)]
        return Sample(dihedral(low, symmetry), dihedral(high, symmetry), sampled.labels(self.high.channels == 1))

    def _apply(self, sampled: Degradation, high: Pixels, rng: np.random.Generator) -> Pixels:
        low = quantise(sampled.apply(dequantise(high), rng), 8 if high.dtype == np.uint8 else 16)
        height, width = (n // self.scale for n in high.shape[:2])
        if low.shape[:2] != (height, width):
            actual, expected = f"{low.shape[1]}x{low.shape[0]}", f"{width}x{height}"
            raise DataError(
                f"the degradation makes {actual} of {high.shape[1]}x{high.shape[0]} pixels; expected {expected}:"
                f" it must reduce by {self.scale} in all, as Downsample({self.scale}) does"
            )
        return low

    @cached_property
    def _areas(self) -> NDArray[np.float64]:
        return np.cumsum((self.high.sizes // self.scale).prod(axis=1), dtype=np.float64)

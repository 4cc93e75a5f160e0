"""Where training takes its crops from, and batches of them prepared while the network works."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.packed import Pixels
from subpixel.datasets.sample import Arrays, Sample
from subpixel.errors import DataError

T = TypeVar("T")


class PatchSource(Protocol):
    """A source of aligned low- and high-resolution crops."""

    @property
    def scale(self) -> int:
        """How many times the sides of a high-resolution crop are those of its low-resolution one."""
        ...

    def check(self, patch: int) -> None:
        """Raises: DataError if the images cannot give crops of `patch` low-resolution pixels a side."""
        ...

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> Arrays:
        """Random crops, flipped and rotated: size C patch patch, and size C s*patch s*patch; labels, if any."""
        ...


THREADS = max(2, os.cpu_count() or 2)
"""That prepare batches, for degradations need more time than a network on a GPU."""


def prefetch(make: Callable[[int], T], steps: Iterable[int], threads: int = THREADS) -> Generator[T]:
    """make(step) for every step, in order, computed in threads while the consumer works: at most one a thread waits.

    The result must depend on the step alone. Close the generator and the threads end.
    """
    remaining = iter(steps)
    with ThreadPoolExecutor(threads, "batches") as pool:
        pending = deque(pool.submit(make, step) for step in islice(remaining, threads))
        while pending:
            result = pending.popleft().result()
            pending.extend(pool.submit(make, step) for step in islice(remaining, 1))
            yield result


def check_sizes(names: Sequence[str], sizes: NDArray[np.int64], patch: int, scale: int = 1) -> None:
    """sizes: heights and widths, N 2.

    Raises: DataError if an image, reduced by `scale`, is smaller than the patch, with the first such name.
    """
    small = np.flatnonzero(sizes.min(axis=1) // scale < patch)
    if small.size:
        height, width = sizes[small[0]] // scale
        more = f" (and {small.size - 1} more)" if small.size > 1 else ""
        raise DataError(
            f"{names[small[0]]}{more}: a low-resolution image is {width}x{height}, smaller than the patch of"
            f" {patch}; lower data.patch or remove it (subpixel data check names all)"
        )


def collate(crops: list[Arrays]) -> Arrays:
    """Crops as a batch: contiguous arrays N C H W, and labels N L if the crops have some."""
    low, high = (
        np.ascontiguousarray(np.stack(_of_one_depth(pixels)).transpose(0, 3, 1, 2))
        for pixels in ([crop.low for crop in crops], [crop.high for crop in crops])
    )
    labels = [crop.labels for crop in crops if crop.labels is not None]
    return Sample(low, high, np.stack(labels) if labels else None)


def _of_one_depth(crops: list[Pixels]) -> list[Pixels]:
    """All of 16 bits where one is."""
    if all(crop.dtype == np.uint8 for crop in crops):
        return crops
    return [crop * np.uint16(257) if crop.dtype == np.uint8 else crop for crop in crops]


def sample_index(areas: NDArray[np.float64], rng: np.random.Generator) -> int:
    """A random index, in proportion to the area: a large image more often than a small one. areas: cumulative."""
    return int(np.searchsorted(areas, rng.random() * areas[-1], side="right"))


def dihedral(pixels: Pixels, symmetry: int) -> Pixels:
    """One of the eight symmetries of the square: k quarter turns for 0 to 3, mirrored first for 4 to 7. H W C."""
    return np.rot90(pixels[:, ::-1] if symmetry >= 4 else pixels, symmetry % 4)

"""Photos packed into one flat file, so that a random crop costs microseconds and no decoding."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import DataError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Pack:
    """Many uint8 RGB pictures in one memory-mapped file."""

    bytes: Pixels
    sizes: NDArray[np.int64]
    """Height and width of each picture, N 2."""
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Pixels:
        """One picture, H W 3, without a copy."""
        height, width = self.sizes[index]
        start = self.starts[index]
        return self.bytes[start : start + height * width * 3].reshape(height, width, 3)


def pack(names: Sequence[str], pictures: Callable[[str], Pixels], folder: Path, key: str) -> Pack:
    """Opens the pack of these pictures, writing it first if it is not there.

    names: what `pictures` is called with, in order. key: everything else that decides the pixels.
    Raises: DataError for an empty list.
    """
    if not names:
        raise DataError("no pictures to train on")
    digest = hashlib.sha256(json.dumps([key, list(names)]).encode()).hexdigest()[:16]
    index = folder / f"{digest}.json"
    if not index.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sizes = list(_write(names, pictures, folder / f"{digest}.bin"))
        temporary = index.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(sizes))
        temporary.replace(index)  # the index last: a pack without one is not finished
    return _open(index)


def _write(names: Sequence[str], pictures: Callable[[str], Pixels], path: Path) -> Iterator[tuple[int, int]]:
    temporary = path.with_suffix(f".{os.getpid()}")
    with temporary.open("wb") as file:
        for name in names:
            picture = np.ascontiguousarray(pictures(name))
            file.write(picture.tobytes())
            yield picture.shape[0], picture.shape[1]
    temporary.replace(path)


def _open(index: Path) -> Pack:
    sizes = np.array(json.loads(index.read_text()), np.int64).reshape(-1, 2)
    areas = sizes.prod(axis=1) * 3
    data = np.memmap(index.with_suffix(".bin"), np.uint8, "r")
    return Pack(data, sizes, np.concatenate([[0], np.cumsum(areas)[:-1]]))

"""Photos packed into one flat file, so that a random crop costs microseconds and no decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from subpixel import atomic
from subpixel.errors import DataError

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class PackedImages:
    """Many uint8 RGB images in one memory-mapped file."""

    data: Pixels
    """All pixels, one image after the other."""
    sizes: NDArray[np.int64]
    """Height and width of each image, N 2."""
    offsets: NDArray[np.int64]
    """Where each image begins in `data`."""
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Pixels:
        """One image, H W 3, without a copy."""
        height, width = self.sizes[index]
        start = self.offsets[index]
        return self.data[start : start + height * width * 3].reshape(height, width, 3)


def pack(names: Sequence[str], image: Callable[[int], Pixels], folder: Path, key: object) -> PackedImages:
    """Opens the pack of these images, writing it first if it is not there.

    names: for messages. image: gives image k, H W 3 uint8. key: everything that decides the pixels, as JSON.
    Raises: DataError for a folder that cannot be written to; no part of a pack is left then.
    """
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    index = folder / f"{digest}.json"
    try:
        if not _whole(index):
            folder.mkdir(parents=True, exist_ok=True)
            _write(map(image, range(len(names))), index)
        return _open(index, tuple(names))
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise DataError(f"cannot pack the images into {folder}: {why}; make room or take another folder") from error


def _whole(index: Path) -> bool:
    """Whether a pack is there and as long as its index says; one that was cut is written anew."""
    try:
        sizes = np.array(json.loads(index.read_text()), np.int64).reshape(-1, 2)
        return index.with_suffix(".bin").stat().st_size == 3 * int(sizes.prod(axis=1).sum())
    except (ValueError, FileNotFoundError):
        return False


def _write(images: Iterator[Pixels], index: Path) -> None:
    """The index last: a pack without one is not finished."""
    data = index.with_suffix(".bin")
    sizes: list[tuple[int, ...]] = []
    try:
        with atomic.replacing(data) as temporary, temporary.open("wb") as file:
            for image in images:
                file.write(np.ascontiguousarray(image).data)
                sizes.append(image.shape[:2])
        atomic.write_text(index, json.dumps(sizes))
    except BaseException:
        if not index.exists():
            data.unlink(missing_ok=True)
        raise


def _open(index: Path, names: tuple[str, ...]) -> PackedImages:
    sizes = np.array(json.loads(index.read_text()), np.int64).reshape(-1, 2)
    areas = sizes.prod(axis=1) * 3
    data = np.memmap(index.with_suffix(".bin"), np.uint8, "r")
    return PackedImages(data, sizes, np.concatenate([[0], np.cumsum(areas)[:-1]]), names)

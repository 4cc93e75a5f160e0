"""Photos packed into one flat file, so that a random crop costs microseconds and no decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel import atomic
from subpixel.errors import DataError

Pixels = NDArray[Any]
"""Levels H W C, uint8 or uint16."""


@dataclass(frozen=True)
class PackedImages:
    """Many RGB images, or gray ones, of 8 or 16 bits in one memory-mapped file."""

    data: NDArray[np.uint8]
    """The bytes of all pixels, one image after the other."""
    sizes: NDArray[np.int64]
    """Height and width of each image, N 2."""
    kinds: NDArray[np.int64]
    """Bytes of a sample of each image, and the channels of its file, N 2."""
    offsets: NDArray[np.int64]
    """Where each image begins in `data`."""
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Pixels:
        """One image, H W 3, without a copy; of a gray one the three channels are the same memory."""
        (height, width), (size, channels) = self.sizes[index], self.kinds[index]
        start, stored = self.offsets[index], _stored(int(channels))
        samples = self.data[start : start + height * width * stored * size].view(np.uint16 if size == 2 else np.uint8)
        return np.broadcast_to(samples.reshape(height, width, stored), (height, width, 3))

    @property
    def notes(self) -> list[str]:
        """What is not trained on as it is in the files, a phrase for each kind."""
        counts = {"gray": np.isin(self.kinds[:, 1], (1, 2)).sum(), "alpha": np.isin(self.kinds[:, 1], (2, 4)).sum()}
        phrases = {
            "gray": "gray, trained on as R = G = B",
            "alpha": "with alpha or a fourth channel, which is left out",
        }
        return [f"{count} of {len(self)} images {phrases[kind]}" for kind, count in counts.items() if count]


def _stored(channels: int) -> int:
    return 1 if channels < 3 else 3


def pack(names: Sequence[str], image: Callable[[int], Pixels], folder: Path, key: object) -> PackedImages:
    """Opens the pack of these images, writing it first if it is not there.

    names: for messages. image: gives image k, H W C (2 and 4: alpha last). key: everything that decides the pixels, as
    JSON.
    Raises: DataError for a folder that cannot be written to; no part of a pack is left then.
    """
    digest = hashlib.sha256(json.dumps(["depth and channels", key]).encode()).hexdigest()[:16]
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
        return index.with_suffix(".bin").stat().st_size == int(_read(index)[1].sum())
    except (ValueError, FileNotFoundError):
        return False


def _write(images: Iterator[Pixels], index: Path) -> None:
    """The index last: a pack without one is not finished."""
    data = index.with_suffix(".bin")
    sizes: list[tuple[int, ...]] = []
    try:
        with atomic.replacing(data) as temporary, temporary.open("wb") as file:
            for image in images:
                file.write(np.ascontiguousarray(image[..., : _stored(image.shape[2])]).data)
                sizes.append((*image.shape[:2], image.itemsize, image.shape[2]))
        atomic.write_text(index, json.dumps(sizes))
    except BaseException:
        if not index.exists():
            data.unlink(missing_ok=True)
        raise


def _open(index: Path, names: tuple[str, ...]) -> PackedImages:
    entries, lengths = _read(index)
    data = np.memmap(index.with_suffix(".bin"), np.uint8, "r")
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return PackedImages(data, entries[:, :2], entries[:, 2:], offsets, names)


def _read(index: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each image height, width, bytes of a sample and channels of its file; and its length in bytes."""
    entries = np.array(json.loads(index.read_text()), np.int64).reshape(-1, 4)
    height, width, size, channels = entries.T
    return entries, height * width * size * np.where(channels < 3, 1, 3)

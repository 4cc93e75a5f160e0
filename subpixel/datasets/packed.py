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
from subpixel.datasets.files import fitted
from subpixel.errors import DataError, unwritten

Pixels = NDArray[Any]
"""Levels H W C, uint8 or uint16."""


@dataclass(frozen=True)
class PackedImages:
    """Many images of 8 or 16 bits, with a network's channels, in one memory-mapped file."""

    data: NDArray[np.uint8]
    """The bytes of all pixels, one image after the other."""
    sizes: NDArray[np.int64]
    """Height and width of each image, N 2."""
    kinds: NDArray[np.int64]
    """Bytes of a sample of each image, and the channels of its file, N 2."""
    offsets: NDArray[np.int64]
    """Where each image begins in `data`."""
    names: tuple[str, ...]
    channels: int = 3
    """Of a network; gray images for RGB are stored once."""

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Pixels:
        """One image, H W C, without a copy; of a gray one for RGB the three channels are the same memory."""
        (height, width), (size, channels) = self.sizes[index], self.kinds[index]
        start, stored = self.offsets[index], int(_stored(channels, self.channels))
        samples = self.data[start : start + height * width * stored * size].view(np.uint16 if size == 2 else np.uint8)
        return np.broadcast_to(samples.reshape(height, width, stored), (height, width, self.channels))

    @property
    def notes(self) -> list[str]:
        """What is not trained on as it is in the files, a phrase for each kind."""
        files = self.kinds[:, 1]
        counts = {
            "gray, trained on as R = G = B": files < 3 if self.channels == 3 else [],
            "in colour, trained on as gray": files > 2 if self.channels == 1 else [],
            "with alpha or a fourth channel, which is left out": files % 2 == 0 if self.channels in (1, 3) else [],
        }
        return [f"{sum(count)} of {len(self)} images {phrase}" for phrase, count in counts.items() if any(count)]


def _stored(files: NDArray[np.int64], channels: int) -> NDArray[np.int64]:
    """Channels that are stored of files with so many."""
    return np.where((files < 3) & (channels == 3), 1, channels)


def pack(
    names: Sequence[str],
    image: Callable[[int], Pixels],
    folder: Path,
    key: object,
    channels: int = 3,
    check: Callable[[], object] = lambda: None,
) -> PackedImages:
    """Opens the pack of these images, writing it first if it is not there.

    names: for messages. image: gives image k, H W C, as `ImageFile.samples` does. key: everything that decides the
    pixels, as JSON. channels: of the network. check: is called before a pack is written, which takes long.
    Raises: DataError for a folder that cannot be written to; no part of a pack is left then.
    """
    key = key if channels == 3 else [channels, key]
    digest = hashlib.sha256(json.dumps(["depth and channels", key]).encode()).hexdigest()[:16]
    index = folder / f"{digest}.json"
    try:
        if not _whole(index, channels):
            check()
            folder.mkdir(parents=True, exist_ok=True)
            _write(map(image, range(len(names))), index, channels)
        return _open(index, tuple(names), channels)
    except OSError as error:
        why = unwritten(error)
        raise DataError(f"cannot pack the images into {folder}: {why}; make room or take another folder") from error


def _whole(index: Path, channels: int) -> bool:
    """Whether a pack is there and as long as its index says; one that was cut or damaged is written anew."""
    try:
        return index.with_suffix(".bin").stat().st_size == int(_read(index, channels)[1].sum())
    except (ValueError, TypeError, OverflowError, FileNotFoundError):
        return False


def _write(images: Iterator[Pixels], index: Path, channels: int) -> None:
    """The index last: a pack without one is not finished."""
    data = index.with_suffix(".bin")
    sizes: list[tuple[int, ...]] = []
    try:
        with atomic.replacing(data) as temporary, temporary.open("wb") as file:
            for image in images:
                levels = fitted(image, channels)
                stored = int(_stored(np.array(image.shape[2]), channels))
                file.write(np.ascontiguousarray(levels[..., :stored]).data)
                sizes.append((*image.shape[:2], image.itemsize, image.shape[2]))
        atomic.write_text(index, json.dumps(sizes))
    except BaseException:
        if not index.exists():
            data.unlink(missing_ok=True)
        raise


def _open(index: Path, names: tuple[str, ...], channels: int) -> PackedImages:
    entries, lengths = _read(index, channels)
    data = np.memmap(index.with_suffix(".bin"), np.uint8, "r")
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return PackedImages(data, entries[:, :2], entries[:, 2:], offsets, names, channels)


def _read(index: Path, channels: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each image height, width, bytes of a sample and channels of its file; and its length in bytes."""
    entries = np.array(json.loads(index.read_text()), np.int64).reshape(-1, 4)
    height, width, size, files = entries.T
    return entries, height * width * size * _stored(files, channels)

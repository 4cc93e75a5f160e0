"""A folder of photos as training pairs: high resolution from the files, low by a degradation, both packed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.packed import Pixels, pack
from subpixel.datasets.pairs import Pairs
from subpixel.errors import DataError, UnreadableImage
from subpixel.image import read

SUFFIXES = {".avif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
Reduce = Callable[[NDArray[Any], int, int], NDArray[Any]]
"""Pixels H W 3 uint8, height, width -> the reduced pixels; `resample.resize` is the field's."""


def files(folder: Path) -> list[Path]:
    """The pictures below a folder, sorted.

    Raises: DataError if there are none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"no pictures in {folder}; expected {', '.join(sorted(SUFFIXES))} files")
    return found


def pairs(folder: Path, scale: int, reduce: Reduce, cache: Path) -> Pairs:
    """Packs a folder for one scale (once; then the pack is reopened) and returns its pairs.

    Raises: DataError naming the folder that is empty or the file that cannot be used.
    """
    paths = files(folder)
    names = [f"{p.relative_to(folder)} {p.stat().st_size}" for p in paths]
    by_name = dict(zip(names, paths, strict=True))

    def high(name: str) -> Pixels:
        pixels = _rgb(by_name[name])
        return pixels[: pixels.shape[0] // scale * scale, : pixels.shape[1] // scale * scale]

    def low(name: str) -> Pixels:
        pixels = high(name)
        return reduce(pixels, pixels.shape[0] // scale, pixels.shape[1] // scale)

    key = f"{folder.resolve()} x{scale} {getattr(reduce, '__qualname__', reduce)}"
    return Pairs(pack(names, low, cache, f"low {key}"), pack(names, high, cache, f"high {key}"), scale)


def digest(folder: Path) -> str:
    """Sixteen hexadecimal digits that name the training data: of manifest.csv where there is one, else of the names."""
    manifest = folder / "manifest.csv"
    content = manifest.read_bytes() if manifest.is_file() else "\n".join(p.name for p in files(folder)).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _rgb(path: Path) -> Pixels:
    try:
        pixels = read(path).to_array(8)[..., :3]
    except UnreadableImage as error:
        raise DataError(f"{error}; remove it from the training folder") from None
    return np.repeat(pixels.reshape(*pixels.shape[:2], -1), 3, axis=2) if pixels.ndim == 2 else pixels

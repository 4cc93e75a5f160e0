"""What is measured out of folders: pairs of LR and HR, and results of any program beside their references."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.files import ImageFile, find_images
from subpixel.datasets.layouts import find_layout, size_mismatch
from subpixel.datasets.sources import file_pairs
from subpixel.errors import DataError
from subpixel.evaluation.evaluate import Pair
from subpixel.images import Image
from subpixel.metrics.protocol import modcrop


def has_pairs(folder: Path) -> bool:
    """Whether there is low resolution beside the high one. Raises: DataError for a folder without images."""
    return bool(find_layout(folder, "valid").low)


def pairs(folder: Path, scale: int) -> Iterator[Pair]:
    """LR and HR from files, HR cut to a multiple of the scale.

    Raises: DataError, also for sizes that no rounding of HR / scale explains; UnreadableImage.
    """
    layout = find_layout(folder, "valid")
    for high, low in file_pairs(layout, scale):
        large, small = high.read().pixels, low.read().pixels
        if problem := size_mismatch(small.shape[:2], large.shape[:2], scale):
            raise DataError(f"{low.name}: {problem} of {high.name}")
        height, width = (n // scale for n in large.shape[:2])
        yield Pair(str(high.place), _image(small[:height, :width]), _image(modcrop(large, scale)))


def results(folder: Path, references: Path, scale: int) -> Iterator[Pair]:
    """Results of any program beside their references; `low` is the result.

    A result has the name of its reference, or begins with it: 0001.png, 0001_x2_SR.png. Both are cut to a multiple of
    the scale. Raises: DataError naming an image without a partner; UnreadableImage.
    """
    for reference, result in _matched(find_images(references), find_images(folder)):
        high, got = reference.read().pixels, result.read().pixels
        if got.shape[:2] == high.shape[:2]:
            got = modcrop(got, scale)
        yield Pair(str(reference.place), _image(got), _image(modcrop(high, scale)))


def _matched(references: Sequence[ImageFile], images: Sequence[ImageFile]) -> list[tuple[ImageFile, ImageFile]]:
    partners: dict[ImageFile, ImageFile] = {}
    for result in images:
        named = [file for file in references if _is_named_after(result, file)]
        best = max(named, key=lambda file: len(file.place.stem), default=None)
        if best is None:
            raise DataError(f"{result.name}: there is no reference of that name")
        if best in partners:
            raise DataError(f"{result.name} and {partners[best].name} are both named after {best.name}; keep one")
        partners[best] = result
    missing = [file.name for file in references if file not in partners]
    if missing:
        raise DataError(f"{missing[0]}: there is no result of that name ({len(missing)} such)")
    return [(file, partners[file]) for file in references]


def _is_named_after(result: ImageFile, reference: ImageFile) -> bool:
    more = result.place.stem.removeprefix(reference.place.stem)
    is_longer = result.place.stem.startswith(reference.place.stem) and re.match(r"[^A-Za-z0-9]|x\d|$", more)
    return result.place.parent == reference.place.parent and bool(is_longer)


def _image(pixels: NDArray[Any]) -> Image:
    return Image(np.ascontiguousarray(pixels))

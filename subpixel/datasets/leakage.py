"""Images that are trained on and validated on at once, which make a validation worthless."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from subpixel.datasets.files import ImageFile
from subpixel.datasets.layouts import find_layout
from subpixel.errors import DataError


def check_disjoint(data: Path, validation: Path) -> None:
    """Compares the HR images for training below one folder with those for validation below another, by content.

    Only files of equal length are read. Raises: DataError naming two that are the same; UnreadableImage.
    """
    training, held_out = find_layout(data).high, find_layout(validation, "valid").high
    lengths = {file.bytes for file in training} & {file.bytes for file in held_out}
    known = {file.digest(): file for file in _of_length(held_out, lengths)}
    for file in _of_length(training, lengths):
        if twin := known.get(file.digest()):
            same = f"{file.name} is" if file.name == twin.name else f"{file.name} and {twin.name} are the same image,"
            raise DataError(f"{same} trained on and validated on; keep the validation images apart")


def _of_length(files: Iterable[ImageFile], lengths: set[int]) -> Iterable[ImageFile]:
    return (file for file in files if file.bytes in lengths)

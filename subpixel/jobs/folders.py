"""Folders of results, made when they are needed and gone again where nothing came to lie in them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from subpixel.errors import UnwritableImage, unwritten


def make_folder(folder: Path) -> list[Path]:
    """Makes a folder and those above it; returns what was made, the outermost first. Raises: UnwritableImage."""
    missing = [place for place in reversed((folder, *folder.parents)) if not os.path.exists(place)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remove_empty(missing)
        why = f"the folder cannot be made: {unwritten(error)}"
        if isinstance(error, FileExistsError):
            why = "it is no folder; expected one, or a file with an ending such as .png"
        raise UnwritableImage(folder, why) from error
    return missing


def remove_empty(folders: Sequence[Path]) -> None:
    """Removes those of the folders in which nothing lies, the last ones first."""
    for folder in reversed(folders):
        with suppress(OSError):  # it is not empty
            folder.rmdir()

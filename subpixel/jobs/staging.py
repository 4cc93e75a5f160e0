"""Sources and targets that are no files of this machine, as files for as long as the work takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from subpixel import atomic
from subpixel.images import split_ending, tiff
from subpixel.jobs import archives, stores


@contextmanager
def fetched(source: str) -> Generator[Path]:
    """A source as a file: what lies in a store or in an archive is copied, with what lies beside a TIFF file.

    Raises: UnreadableImage; OSError.
    """
    member = None if stores.is_url(source) else archives.split(source)
    if member is None and not stores.is_url(source):
        yield Path(source)
        return
    with _temporary(source) as copy:
        stem, ending = split_ending(member[1] if member else source)
        others = _companions(stem, ending) if ending.lower() in (".tif", ".tiff") else {}
        if member:
            archives.fetch(*member, copy)
            for name in archives.beside(member[0], others):
                archives.fetch(member[0], name, copy.with_name(others[name]))
        else:
            stores.fetch(source, copy)
            folder = source.rpartition("/")[0]
            names = {name.rpartition("/")[2]: here for name, here in others.items()}
            for name in stores.beside(source, names) if names else ():
                stores.fetch(f"{folder}/{name}", copy.with_name(names[name]))
        yield copy


@contextmanager
def delivered(target: str, overwrite: bool) -> Generator[Path]:
    """A file to write, which is at the target when the block ends without an error: whole, or not at all.

    Raises: FileExistsError where a store has one already, which stays; UnwritableImage; OSError.
    """
    if not stores.is_url(target):
        yield Path(target)
        return
    with _temporary(target) as copy:
        yield copy
        if not stores.put(copy, target, overwrite):
            raise FileExistsError(target)


def _companions(stem: str, ending: str) -> dict[str, str]:
    """What may lie beside a TIFF file, and how it is called where the file is called "image"."""
    added = [ending + more for more in tiff.ADDED]
    return {stem + rest: f"image{rest}" for rest in (*tiff.IN_PLACE, *added)}


@contextmanager
def _temporary(name: str) -> Generator[Path]:
    part = atomic.temporary(Path(tempfile.gettempdir()))
    try:
        yield part.with_name(f"image{split_ending(os.path.basename(name))[1]}")
    finally:
        atomic.discard(part)

"""Sources and targets that are no files of this machine, as files for as long as the work takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from subpixel import atomic
from subpixel.images import split_ending
from subpixel.jobs import archives, stores


@contextmanager
def fetched(source: str) -> Generator[Path]:
    """A source as a file: what lies in a store or in an archive is copied. Raises: UnreadableImage; OSError."""
    member = None if stores.is_url(source) else archives.split(source)
    if member is None and not stores.is_url(source):
        yield Path(source)
        return
    with _temporary(source) as copy:
        if member:
            archives.fetch(*member, copy)
        else:
            stores.fetch(source, copy)
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


@contextmanager
def _temporary(name: str) -> Generator[Path]:
    part = atomic.temporary(Path(tempfile.gettempdir()))
    try:
        yield part.with_name(f"image{split_ending(os.path.basename(name))[1]}")
    finally:
        atomic.discard(part)

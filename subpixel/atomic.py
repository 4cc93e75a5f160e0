"""Files that appear whole or not at all: a temporary file beside the target, fsync, and a rename."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".subpixel-"
"""What the name of every temporary file begins with."""


def temporary(folder: Path, suffix: str = ".part") -> Path:
    """A free name for a temporary file in a folder; it is short, whatever the target is called."""
    return folder / f"{PREFIX}{secrets.token_hex(8)}{suffix}"


def commit(part: Path, target: Path) -> None:
    """Lets a complete file take its target's place, once its bytes are on the disk. Raises: OSError."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    with suppress(OSError):  # not every file system lets a folder be opened or synced
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def replacing(target: Path) -> Generator[Path]:
    """A file to write, which becomes the target where the block ends without an error, and is gone otherwise.

    Raises: OSError; what was at the target before is still there then.
    """
    part = temporary(target.parent)
    try:
        yield part
        commit(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_bytes(target: Path, content: bytes) -> None:
    """Writes a file from bytes. Raises: OSError."""
    with replacing(target) as part:
        part.write_bytes(content)


def write_text(target: Path, text: str) -> None:
    """Writes a file of UTF-8 text. Raises: OSError."""
    write_bytes(target, text.encode("utf-8"))

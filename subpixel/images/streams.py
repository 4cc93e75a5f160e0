"""What comes but once: standard input, pipes, open files; their bytes are held, within a bound."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

from subpixel.errors import BadRequest, UnreadableImage, unread

MAX_BYTES = 2**30
"""Of a stream that cannot be read again, and is held therefore."""
STREAM = "-"
"""In place of a path: standard input as a source, standard output as a target."""
_CHUNK = 2**16


def name_of(source: str | Path | bytes | BinaryIO) -> str | Path:
    """What an image is called in messages."""
    if str(source) == STREAM:
        return "standard input"
    return source if isinstance(source, str | Path) else "the image"


def replayable(source: str | Path | bytes | BinaryIO) -> str | Path | bytes:
    """A path, or all bytes of what comes but once: standard input, a pipe such as a shell's `<(...)`, an open file.

    Raises: UnreadableImage for more than MAX_BYTES of it; BadRequest for what is none of these.
    """
    if isinstance(source, bytes):
        return source
    if not isinstance(source, str | Path):
        check_stream(source, "read")
        return _drained(source, source)
    if str(source) == STREAM:
        return _drained(source, sys.stdin.buffer)
    if not comes_once(source):
        return source
    with open(source, "rb") as pipe:
        return _drained(source, pipe)


def check_stream(file: object, method: Literal["read", "write"]) -> None:
    """Raises: BadRequest for what is no open binary file."""
    if isinstance(file, io.TextIOBase):
        raise BadRequest(f"a file opened as text; open it as binary, with mode {method[0] + 'b'!r}")
    if getattr(file, "closed", False):
        raise BadRequest(f"a file that is closed; open it as binary, with mode {method[0] + 'b'!r}")
    if not hasattr(file, method):
        raise BadRequest(f"a file of type {type(file).__name__}; expected a path or an open binary file")
    is_pythons = isinstance(file, io.FileIO | io.BufferedReader | io.BufferedWriter)  # others need not say it
    if is_pythons and not (file.readable() if method == "read" else file.writable()):
        raise BadRequest(f"a file that is not opened to {method} it; open it with mode {method[0] + 'b'!r}")


def write_all(source: BinaryIO, stream: BinaryIO) -> None:
    """Writes what a file has into a stream, which may take a part at a time, as raw ones do; and flushes it.

    Raises: BlockingIOError for a stream that does not wait until it can take more; OSError.
    """
    try:
        while rest := source.read(_CHUNK):
            while rest:
                rest = rest[_taken(stream, rest) :]
        stream.flush()
    except BlockingIOError as error:
        raise BlockingIOError(errno.EAGAIN, "it takes no more for now; give a blocking stream") from error


def _taken(stream: BinaryIO | io.RawIOBase, data: bytes) -> int:
    """How many bytes were written, 1 or more. Raises: BlockingIOError, OSError."""
    count = stream.write(data)
    if count is None and not isinstance(stream, io.RawIOBase):  # as Django's response: it has taken all
        return len(data)
    if not count:
        raise BlockingIOError
    return count


def comes_once(path: str | Path) -> bool:
    """Whether the bytes behind a path come but once: standard input, or a pipe."""
    with suppress(OSError):
        return str(path) == STREAM or Path(path).is_fifo()
    return False


def _drained(source: str | Path | BinaryIO, file: BinaryIO) -> bytes:
    name, pieces, left = name_of(source), list[bytes](), MAX_BYTES + 1
    while piece := _piece(name, file, left):  # a raw stream gives a part at a time
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            raise UnreadableImage(name, f"more than {MAX_BYTES:,} bytes came; save it as a file first")
    return b"".join(pieces)


def _piece(name: str | Path, file: BinaryIO | io.RawIOBase, most: int) -> bytes:
    """What comes next, empty at the end. Raises: UnreadableImage."""
    try:
        piece = file.read(most)
    except OSError as error:
        raise UnreadableImage(name, unread(error)) from error
    if piece is None:
        raise UnreadableImage(name, "it has no more for now, and no end; give a blocking stream")
    return piece

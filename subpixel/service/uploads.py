"""Bodies of requests on their way to the disk: bounded, timed, and whole or absent."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request

from subpixel.service.problems import Refusal, retry

_PAUSE = 20.0
"""Seconds that a client may say nothing."""
_SLOWEST = 16 * 2**10
"""Bytes a second, on the whole."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FILE = re.compile(rb";\s*filename\*?=", re.IGNORECASE)
_FORM = 2**16
"""Bytes that a form may have around its image."""
_PARTS = 4
"""Parts of a form: the image, and a few that hold nothing."""


@dataclass(frozen=True)
class Upload:
    """A body on the disk."""

    path: Path
    bytes: int
    digest: str


def stated_length(request: Request, most: int) -> int | None:
    """Bytes that a body will have, as its sender says; None where it does not. Raises: Refusal for too many."""
    stated = request.headers.get("content-length")
    if stated and int(stated) > most + _FORM:
        raise _too_large(most)
    return int(stated) if stated else None


@asynccontextmanager
async def received(request: Request, path: Path, most: int) -> AsyncGenerator[Upload]:
    """The image in a body, written to `path` and synced, which is removed at the end of the block if it is still there.

    Raises: Refusal for what is encoded, too large, too slow, empty, or no form.
    """
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        why = f"Content-Encoding {encoding[:40]!r}; expected the bytes of the image as they are"
        raise Refusal("encoded", why, {"Accept-Encoding": "identity"})
    try:
        yield await _received(request, path, most)
    except OSError as error:
        if error.errno in _FULL:
            raise retry("disk-full", "the server has no room for the image; ask again later", 60) from error
        raise
    finally:
        path.unlink(missing_ok=True)


async def _received(request: Request, path: Path, most: int) -> Upload:
    hashed, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        async for part in _image(request, most):
            size += len(part)
            if size > most:
                raise _too_large(most)
            hashed.update(part)
            file.write(part)
        if not size:
            raise Refusal("bad-request", "the body is empty; expected the bytes of an image")
    return Upload(path, size, hashed.hexdigest())


def _image(request: Request, most: int) -> AsyncIterator[bytes]:
    kind = request.headers.get("content-type", "")
    return _of_form(request, kind, most) if kind.lower().startswith("multipart/") else _chunks(request, most)


async def _chunks(request: Request, most: int) -> AsyncGenerator[bytes]:
    """What comes, as it comes."""
    loop = asyncio.get_running_loop()
    end, size = loop.time() + 3 * _PAUSE + most / _SLOWEST, 0
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout_at(min(end, loop.time() + _PAUSE)):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise Refusal("bad-request", "the body came too slowly", {"Connection": "close"}) from None
        except ClientDisconnect:
            raise Refusal("bad-request", "the body is cut") from None
        if chunk is None:
            return
        size += len(chunk)
        if size > most + _FORM:
            raise _too_large(most)
        yield chunk


async def _of_form(request: Request, kind: str, most: int) -> AsyncGenerator[bytes]:
    """The one part of a form that is a file."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    boundary = parse_options_header(kind)[1].get(b"boundary")
    if not boundary:
        raise Refusal("bad-request", "a form without a boundary; expected multipart/form-data")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks(), max_header_count=8, max_header_size=4096)
        async for chunk in _chunks(request, most):
            parser.write(chunk)
            for part in form.taken():
                yield part
        parser.finalize()
    except FormParserError as error:
        raise Refusal("bad-request", f"the form cannot be read: {error}") from None
    if not form.ended:
        raise Refusal("bad-request", "the form is cut")


class _Form:
    """What the parser of a form calls: it collects the data of the file."""

    def __init__(self) -> None:
        self.ended = False
        self._data = list[bytes]()
        self._header = b""
        self._is_file, self._parts, self._files = False, 0, 0

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._more_header,
            "on_header_value": self._more_header,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._part,
            "on_end": self._end,
        }

    def taken(self) -> list[bytes]:
        data, self._data = self._data, []
        return data

    def _begin(self) -> None:
        self._parts, self._header = self._parts + 1, b""
        if self._parts > _PARTS:
            raise Refusal("bad-request", "the form has too many parts; expected one file")

    def _more_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _headers_end(self) -> None:
        self._is_file = bool(_FILE.search(self._header))
        self._files += self._is_file
        if self._files > 1:
            raise Refusal("bad-request", "the form has two files; send one image a request")

    def _part(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._data.append(data[start:end])
        elif end > start:
            raise Refusal("bad-request", "the form has fields; what is asked for stands in the query")

    def _end(self) -> None:
        self.ended = True


def _too_large(most: int) -> Refusal:
    return Refusal("too-large", f"the body has more than {most:,} bytes", {"Connection": "close"})

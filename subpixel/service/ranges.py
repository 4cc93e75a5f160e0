"""Files as answers: whole, in ranges, or not at all where the client has them: RFC 9110, sections 13 and 14."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from starlette.datastructures import Headers
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable, Response
from starlette.types import Receive, Scope, Send

from subpixel.service.problems import Refusal

_OF_UNCHANGED = ("etag", "cache-control", "vary")
"""What a 304 says again: RFC 9110, 15.4.5."""


def unchanged(asked: Headers, headers: Mapping[str, str]) -> Response | None:
    """304 where If-None-Match names the tag among the headers of an answer, or any."""
    known, answer = ",".join(asked.getlist("if-none-match")), Headers(headers)
    if known.strip() != "*" and answer["etag"] not in known:
        return None
    return Response(status_code=304, headers={name: answer[name] for name in _OF_UNCHANGED if name in answer})


class RangedFile(FileResponse):
    """Starlette's, of a file that is opened at once and comes whole, though it is removed in the meantime.

    It ignores a header Range that makes no sense, and refuses in our words. Raises: OSError.
    """

    def __init__(self, path: Path, headers: Mapping[str, str], media_type: str) -> None:
        self._file = path.open("rb")
        super().__init__(path, headers=headers, media_type=media_type, stat_result=os.fstat(self._file.fileno()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            answer = unchanged(Headers(scope=scope), self.headers) or super().__call__
            await answer(scope, receive, send)

    @asynccontextmanager
    async def _open_file(self) -> AsyncGenerator[anyio.AsyncFile[bytes]]:
        yield anyio.wrap_file(self._file)

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        unit, _, ranges = http_range.partition("=")
        within = [each for each in ranges.split(",") if not _is_beyond(each, file_size)]
        try:
            return super()._parse_range_header(f"{unit}={','.join(within)}" if within else http_range, file_size)
        except MalformedRangeHeader:
            return []
        except RangeNotSatisfiable:
            why = f"Range {http_range[:80]!r}; there are {file_size:,} bytes"
            raise Refusal("no-such-range", why, {"Content-Range": f"bytes */{file_size}"}) from None


def _is_beyond(given: str, size: int) -> bool:
    """Whether a range begins after the end; others may still be had: RFC 9110, 15.5.17."""
    begin = given.strip().partition("-")[0]
    return begin.isdecimal() and int(begin[:4000]) >= size

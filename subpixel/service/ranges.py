"""Files as answers, whole or in ranges: RFC 9110, section 14."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable
from starlette.types import Receive, Scope, Send

from subpixel.service.problems import Refusal


class RangedFile(FileResponse):
    """Starlette's, of a file that is opened at once and comes whole, though it is removed in the meantime.

    It ignores a header Range that makes no sense, and refuses in our words. Raises: OSError.
    """

    def __init__(self, path: Path, headers: Mapping[str, str], media_type: str) -> None:
        self._file = path.open("rb")
        super().__init__(path, headers=headers, media_type=media_type, stat_result=os.fstat(self._file.fileno()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            await super().__call__(scope, receive, send)

    @asynccontextmanager
    async def _open_file(self) -> AsyncGenerator[anyio.AsyncFile[bytes]]:
        yield anyio.wrap_file(self._file)

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            return []
        except RangeNotSatisfiable:
            why = f"Range {http_range[:80]!r}; there are {file_size:,} bytes"
            raise Refusal("no-such-range", why, {"Content-Range": f"bytes */{file_size}"}) from None

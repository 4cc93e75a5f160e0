"""Files as answers, whole or in ranges: RFC 9110, section 14."""

from __future__ import annotations

from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable

from subpixel.service.problems import Refusal


class RangedFile(FileResponse):
    """Starlette's, which here ignores a header Range that makes no sense, and refuses in our words."""

    @classmethod
    def _parse_range_header(cls, http_range: str, file_size: int) -> list[tuple[int, int]]:
        try:
            return super()._parse_range_header(http_range, file_size)
        except MalformedRangeHeader:
            return []
        except RangeNotSatisfiable:
            why = f"Range {http_range[:80]!r}; there are {file_size:,} bytes"
            raise Refusal("no-such-range", why, {"Content-Range": f"bytes */{file_size}"}) from None

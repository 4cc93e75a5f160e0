"""The result of a job as an answer, in a format that its client takes."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from subpixel.errors import UnwritableImage
from subpixel.images.formats import FILE_FORMATS, FORMATS
from subpixel.service.negotiation import MEDIA_TYPES, accepted, not_acceptable
from subpixel.service.orders import Order
from subpixel.service.problems import Refusal, refusal
from subpixel.service.ranges import RangedFile, unchanged
from subpixel.service.records import Record
from subpixel.service.service import Service

_PHOTOS = {file_format.name for file_format in FILE_FORMATS.values()}
_GONE = "results are kept for a while; send the image again"


async def answer(service: Service, request: Request, record: Record) -> Response:
    """The file, in its own format where Accept takes that, else in the best that it takes. Raises: Refusal."""
    if record.state == "expired":
        raise Refusal("expired", _GONE)
    if record.state != "done":
        raise Refusal("not-done", f"the job is {record.state}")
    wanted = accepted(request.headers.getlist("accept"))
    if wanted is None or record.format in wanted:
        return await _in_format(service, request, record, record.format)
    why = not_acceptable(record.format)
    for kind in [kind for kind in wanted if kind in FORMATS and record.source_format in _PHOTOS]:
        try:
            return await _in_format(service, request, record, kind)
        except UnwritableImage as error:  # no animations in JPEG, no 20,000 pixels in WebP: the next best
            why = refusal(error)
            if why.kind != "bad-request":
                raise
            why = Refusal("not-acceptable", why.detail)
    raise why


async def _in_format(service: Service, request: Request, record: Record, kind: str) -> Response:
    """A result, in its own format or another, which is kept as long as it."""
    headers = {
        "ETag": f'"{record.etag}"' if kind == record.format else f'"{record.etag}-{kind}"',
        "Vary": "Accept",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'attachment; filename="{record.id[:8]}.{kind}"',
    }
    if known := unchanged(request.headers, headers):
        return known
    source, path = service.result(record), service.result(record, kind)
    try:
        if path != source:
            order = Order("convert", str(source), str(path), record.request)
            await service.convert(order, str(request.scope["subpixel.client"]))
            now = await asyncio.to_thread(service.find, record.id)
            if now is None or now.state != "done":  # it was removed in the meantime
                path.unlink(missing_ok=True)
                raise Refusal("expired", _GONE)
        return await asyncio.to_thread(RangedFile, path, headers, MEDIA_TYPES[kind])
    except OSError as error:  # perhaps its time was over in the meantime
        raise error if source.exists() else Refusal("expired", _GONE) from None

"""Images of science and medicine in the service: what their headers say."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from subpixel.domains.formats import Format
from subpixel.domains.planes import grid_of
from subpixel.errors import BadRequest, TooLarge, UnreadableImage
from subpixel.service.orders import Examined, Order
from subpixel.video.request import VideoRequest


def examine(file_format: Format, order: Order, request: VideoRequest) -> Examined:
    """The result is of the source's own format. Raises: UnreadableImage, TooLarge, BadRequest."""
    own = file_format.endings[0].lstrip(".")
    if request.encoding.format not in (None, own):
        raise BadRequest(
            f"encoding.format {request.encoding.format}; {file_format.name} becomes {own}, and nothing else"
        )
    upscaler, path = request.upscaler(), Path(order.source)
    with closing(file_format.open(path, request.bands, upscaler.channels)) as source:
        planes = [(plane.sides, grid_of(plane, upscaler)) for plane in source.planes]
    if not planes:
        raise UnreadableImage(path, f"there is no image in this {file_format.name}")
    pixels = sum(max(h * w, grid.height * grid.width) for (h, w), grid in planes)  # all are read, also for a window
    if pixels > order.most:
        raise TooLarge(
            "the image", f"{len(planes)} planes have {pixels:,} pixels, more than the limit of {order.most:,}"
        )
    (height, width), grid = planes[0]
    return Examined(file_format.name, width, height, len(planes), own, grid.width, grid.height)

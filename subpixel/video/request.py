"""Everything a user can ask of the enlargement of a video."""

from __future__ import annotations

import re
from typing import Literal, get_args

from pydantic import Field

from subpixel.errors import BadRequest
from subpixel.jobs.request import Request

Codec = Literal["auto", "av1", "h264", "h265", "ffv1"]
Deinterlace = Literal["auto", "off", "field"]
CODECS: tuple[str, ...] = get_args(Codec)
DEINTERLACE: tuple[str, ...] = get_args(Deinterlace)


class VideoRequest(Request):
    """What to do with a video: a `Request`, and how the result is encoded and cut."""

    codec: Codec = "auto"
    """auto: the source's own where it can be written, else h264, or h265 for more than 8 bits; av1 in WebM."""
    quality: int = Field(default=65, ge=1, le=100)
    """Constant quality of the encoder, 100 the best; ffv1 is lossless."""
    deinterlace: Deinterlace = "auto"
    """auto: where it is found, a frame for each frame; field: a frame for each field; off."""
    start: float = Field(default=0.0, ge=0)
    """Seconds from the beginning of the source."""
    stop: float | None = Field(default=None, gt=0)
    """Seconds from the beginning; None for the end."""
    preview: float | None = Field(default=None, gt=0)
    """So many seconds out of the middle; without start and stop."""
    fps: float | None = Field(default=None, gt=0, le=1000)
    """Frames a second of a folder of images, whose times nobody knows; None for 25."""


def seconds(text: str) -> float:
    """A time such as 5s, 90, 1:30 or 1:02:03.5, in seconds. Raises: BadRequest."""
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)s?", text.strip())
    if match is None:
        raise BadRequest(f"the time {text!r}; expected seconds such as 5 or 5s, or 1:30, 1:02:03.5")
    hours, minutes, rest = match.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest)

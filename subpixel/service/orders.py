"""What the service has done in processes of their own: orders, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Order:
    """What is to be done with which file."""

    do: Literal["examine", "enlarge", "convert", "inspect", "models"]
    source: str = ""
    target: str = ""
    request: str = "{}"
    """JSON of the VideoRequest, which a photo's is, too."""
    most: int = 0
    """Pixels, of the image and of the result; of a video, those of a frame."""
    most_video: int = 0
    """Pixels of all frames of a video's result."""
    wanted: tuple[str, ...] = ()
    """Formats that the client takes, best first, where the request names none; () takes any."""


@dataclass(frozen=True)
class Examined:
    """What the header of a file says, and what would come of it."""

    source_format: str
    source_width: int
    source_height: int
    frames: int
    format: str
    """Of the result: what its name ends in."""
    width: int
    height: int


@dataclass(frozen=True)
class Enlarged:
    """What has become of a file."""

    bytes: int
    etag: str
    note: str | None
    chosen: str

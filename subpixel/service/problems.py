"""What goes wrong, as RFC 9457 has it: a type, a title, a status, and one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel

from subpixel.errors import BadRequest, ProcessDied, SubpixelError, TooLarge, UnreadableImage, UnwritableImage

KINDS = {
    "bad-request": (400, "The request makes no sense"),
    "unauthorized": (401, "A token is needed"),
    "forbidden": (403, "This page may not ask this"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "There is no such method"),
    "not-acceptable": (406, "There is no such format"),
    "not-done": (409, "The result is not there yet"),
    "expired": (410, "The result was removed"),
    "too-large": (413, "It is too large"),
    "encoded": (415, "The body is encoded"),
    "no-such-range": (416, "There is no such range"),
    "unreadable-image": (422, "The image cannot be read"),
    "key-reused": (422, "The key belongs to another upload"),
    "client-full": (429, "Too many jobs of this client"),
    "internal": (500, "Something went wrong here"),
    "failed-image": (500, "The image could not be enlarged"),
    "process-died": (500, "It ended the process three times"),
    "too-long": (500, "It took too long"),
    "busy": (503, "All are at work"),
    "queue-full": (503, "The queue is full"),
    "queue-unavailable": (503, "The queue cannot be used"),
    "stopping": (503, "The service is about to end"),
    "disk-full": (503, "The disk is full"),
}  # fmt: skip
_FULL = re.compile("no space left|quota exceeded|file too large|unable to write to target", re.IGNORECASE)
"""What the system and FFmpeg say, and libvips, whose encoders know no more."""
MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """A problem, as RFC 9457 writes it."""

    type: str
    title: str
    status: int
    detail: str


class Refusal(Exception):
    """Ends a request with a problem."""

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.headers = kind, detail, dict(headers or {})

    @property
    def problem(self) -> Problem:
        """The answer's body, as RFC 9457 has it."""
        status, title = KINDS[self.kind]
        return Problem(type=f"/problems/{self.kind}", title=title, status=status, detail=self.detail)


def retry(kind: str, detail: str, seconds: int) -> Refusal:
    """A refusal that will pass."""
    return Refusal(kind, detail, {"Retry-After": str(seconds)})


def stopping() -> Refusal:
    """The refusal of a service that is about to end."""
    return retry("stopping", "the service is about to end; ask again in a minute", 60)


def refusal(error: Exception) -> Refusal:
    """What an error of the package is to a client, who need not know where files lie."""
    match error:
        case TooLarge():
            return Refusal("too-large", f"cannot read the image: {error.why}")
        case UnreadableImage():
            return Refusal("unreadable-image", f"cannot read the image: {error.why}")
        case OSError() if _FULL.search(str(error)):
            return Refusal("disk-full", "the server has no room for the result; send the image again later")
        case UnwritableImage():
            return Refusal("bad-request", f"cannot write the result: {error.why}")
        case ProcessDied():
            return Refusal("process-died", f"{error}; the image may need more memory than there is")
        case BadRequest() | SubpixelError():
            return Refusal("bad-request", str(error))
        case _:
            return Refusal("internal", f"{type(error).__name__}: please report it with the image")

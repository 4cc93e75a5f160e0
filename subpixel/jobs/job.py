"""What is to be done to one image."""

from __future__ import annotations

from typing import NamedTuple

from subpixel.errors import SubpixelError


class Job(NamedTuple):
    """An image to read and the file to write, by name; either may be a stream, "-". A tuple: there may be a million."""

    source: str
    target: str
    refused: SubpixelError | None = None
    """Why it cannot be done, where that is known before the image is opened."""
    skipped: str = ""
    """Why there is nothing to do, as the end of a sentence: "the result exists"."""

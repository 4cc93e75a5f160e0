"""What is to be done to one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import SubpixelError

STREAM = Path("-")
"""Standard input as a source, standard output as a target."""


@dataclass(frozen=True)
class Job:
    """An image to read and the file to write; either may be STREAM."""

    source: Path
    target: Path
    refused: SubpixelError | None = None
    """Why it cannot be done, where that is known before the image is opened."""
    skipped: str = ""
    """Why there is nothing to do, as the end of a sentence: "the result exists"."""

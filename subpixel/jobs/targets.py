"""What is refused as the name of a result, before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from subpixel.errors import BadRequest
from subpixel.images.streams import STREAM


def check_target(target: Path, overwrite: bool) -> Path:
    """The target, if nothing is there that may not be replaced. Raises: BadRequest."""
    if os.path.isdir(target):
        raise BadRequest(f"{target} is a folder; name a file")
    if os.path.exists(target) and not overwrite:
        raise BadRequest(f"{target} exists; --overwrite replaces it")
    return target


def ensure_safe(target: Path, source: Path, overwrite: bool) -> Path:
    """The target, once it is certain that writing it destroys nothing.

    Raises: BadRequest for one that is the source, or exists.
    """
    if str(target) != STREAM:
        check_target(target, overwrite)
        if os.path.realpath(target) == os.path.realpath(source):
            raise BadRequest(f"{target} is an input and would be overwritten; give another name with -o")
    return target

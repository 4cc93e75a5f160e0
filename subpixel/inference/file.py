"""From file to file, a band at a time: the memory does not grow with the image."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from subpixel.analysis import file_quality
from subpixel.errors import UnreadableImage
from subpixel.images import Encoding, create, format_of, lost_on_write, open_image
from subpixel.images.reader import is_pipe
from subpixel.inference.plan import Plan
from subpixel.inference.upscaler import Upscaler

_ENCODED = 2**23
"""Samples handed to the encoder at a time (32 MiB)."""

OnProgress = Callable[[Plan, int], object]
"""Is told the plan and how many rows are computed, first 0; what it raises ends the work and leaves nothing."""


def upscale_file(
    source: str | Path | bytes | BinaryIO,
    target: str | Path | BinaryIO,
    upscaler: Upscaler,
    encoding: Encoding = Encoding(),
    on_progress: OnProgress | None = None,
) -> str | None:
    """Enlarges a file into a file, which appears when it is complete; returns what its format could not keep.

    Raises: UnreadableImage, UnwritableImage, and what `Upscaler` raises.
    """
    content = _kept(source)
    try:
        opened = open_image(content)
    except UnreadableImage as error:
        raise UnreadableImage(error.path if content is source else _name(source), error.why) from error
    plan = upscaler.plan(opened, file_quality(content))
    rows, height = plan.rows(opened), plan.target.height
    if on_progress:
        on_progress(plan, 0)
    step = max(1, _ENCODED // (plan.target.width * plan.target.samples))
    with create(target, plan.target, opened.metadata, encoding) as writer:
        for y in range(0, height, step):
            band = rows.rows(y, min(y + step, height))
            if on_progress:
                on_progress(plan, y + len(band))
            writer.write(band)
    return lost_on_write(format_of(target, encoding.format), opened.metadata)


def _kept(source: str | Path | bytes | BinaryIO) -> str | Path | bytes:
    """A path, or all of what comes but once: standard input, a pipe, an open file."""
    if str(source) == "-":
        return sys.stdin.buffer.read()
    if isinstance(source, str | Path) and is_pipe(source):
        with open(source, "rb") as pipe:
            return pipe.read()
    return source if isinstance(source, str | Path | bytes) else source.read()


def _name(source: str | Path | bytes | BinaryIO) -> str:
    return "standard input" if str(source) == "-" else str(source) if isinstance(source, str | Path) else "the image"

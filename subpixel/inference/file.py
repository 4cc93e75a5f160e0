"""From file to file, a band at a time, an animation frame by frame: the memory does not grow with the image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from subpixel.errors import BadRequest, UnreadableImage, check_type
from subpixel.images import AnimationReader, Encoding, ImageReader, create, open_any
from subpixel.images.jp2 import PLACED
from subpixel.images.streams import name_of, replayable
from subpixel.inference.consistency import LimitedRows
from subpixel.inference.plan import Plan
from subpixel.inference.rows import ArrayRows, Rows
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
    """Enlarges a file into a file, which appears when it is complete; returns what that could not keep, or converted.

    Raises: UnreadableImage, UnwritableImage, and what `Upscaler` raises.
    """
    check_call(upscaler, on_progress)
    content = replayable(source)
    try:
        opened = open_any(content)
    except UnreadableImage as error:
        raise UnreadableImage(error.path if content is source else name_of(source), error.why) from error
    if "GeoTIFF tags" in opened.metadata.left_out:
        how = "by the extra geo alone: pip install 'subpixel[geo]'" if _file(source) else "in files; save it as one"
        raise UnreadableImage(name_of(source), f"it is a GeoTIFF, whose coordinates are kept {how}")
    if PLACED in opened.metadata.left_out:
        why = "it has coordinates on earth, which JPEG 2000 would lose; make a GeoTIFF of it first"
        raise UnreadableImage(name_of(source), why)
    frames, count = _frames(opened)
    first = next(frames)
    plan = upscaler.plan(first)
    height = plan.target.height
    if on_progress:
        on_progress(plan, 0)
    step = max(1, _ENCODED // (plan.target.width * plan.target.samples))
    whole = replace(plan.target, height=height * count)
    notes: list[str] = []
    known = len(opened.metadata.notes)
    with create(target, whole, opened.metadata, encoding, _file(source)) as writer:
        for k, frame in enumerate(chain([first], frames)):
            rows = plan.rows(frame)
            for y in range(0, height, step):
                band = rows.rows(y, min(y + step, height))
                if on_progress:
                    on_progress(plan, (k * height + y + len(band)) // count)
                writer.write(band)
            notes += [rows.note] if isinstance(rows, LimitedRows) else []
    notes += opened.metadata.notes[known:]
    return "; ".join(filter(None, [writer.note, *notes])) or None


def check_call(upscaler: object, on_progress: object) -> None:
    """Raises: BadRequest for what is no Upscaler, or no function."""
    check_type("the upscaler", upscaler, Upscaler)
    if on_progress is not None and not callable(on_progress):
        given = f"on_progress is of type {type(on_progress).__name__}"
        raise BadRequest(f"{given}; expected a function of a Plan and a number of rows")


def _file(source: str | Path | bytes | BinaryIO) -> Path | None:
    """The file whose mode and time a result may have."""
    return Path(source) if isinstance(source, str | Path) and os.path.isfile(source) else None


def _frames(opened: ImageReader | AnimationReader) -> tuple[Iterator[Rows], int]:
    """What is enlarged by itself, one after the other, and how many there are."""
    if isinstance(opened, ImageReader):
        return iter([opened]), 1
    assert opened.metadata.animation
    frames: Iterator[Rows] = (ArrayRows(frame, opened.shape) for frame in opened.frames())
    return frames, len(opened.metadata.animation.delays)

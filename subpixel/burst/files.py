"""From files to a file: a burst of images, or the frames of a clip around a moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subpixel.burst.clip import frames_at
from subpixel.burst.evidence import Report
from subpixel.burst.frames import Frame
from subpixel.burst.fusion import Psf, prepare
from subpixel.errors import BadRequest
from subpixel.images import Encoding, Metadata, create, format_of
from subpixel.images.writer import ImageWriter, place_of
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs.folders import make_folder, remove_empty
from subpixel.ports import Shape

WHITE = 32 / 255
"""The standard deviation that is white in the image of the uncertainty."""


@dataclass(frozen=True)
class Moment:
    """A moment of a clip, in seconds, and how many frames around it are taken."""

    seconds: float
    frames: int = 9

    def __post_init__(self) -> None:
        if not 0 <= self.seconds < float("inf"):
            raise BadRequest(f"{self.seconds} s; expected a moment of the clip, from 0")
        if self.frames < 2:
            raise BadRequest(f"{self.frames} frame; expected at least 2")


def fuse_files(
    sources: Sequence[Path],
    target: Path,
    scale: float = 2,
    *,
    at: Moment | None = None,
    psf: Psf = "auto",
    model: str | Path = "auto",
    uncertainty: Path | None = None,
    encoding: Encoding = Encoding(),
    on_progress: Callable[[str], object] | None = None,
) -> tuple[Report, str | None]:
    """Fuses images, or a moment of a clip, into a file; returns what was found, and what the file could not keep.

    Both files appear when they are complete, or not at all. uncertainty: a file for the standard deviation that the
    error of each pixel is believed to have, in gray, white from WHITE on. on_progress: is told what is done.
    Folders that are missing are made, and gone again where it fails.
    Raises: UnwritableImage, BadRequest for one file that would be both, and what `fuse` and `frames_at` raise.
    """
    if uncertainty is not None and os.path.realpath(target) == os.path.realpath(uncertainty):
        raise BadRequest(f"{target} would be the image and its uncertainty; give one of them another name")
    upscaler = Upscaler(model, scale=scale)
    targets = [path for path in (target, uncertainty) if path is not None]
    for path in targets:
        format_of(path)
    with ExitStack() as files:
        for path in targets:
            files.callback(remove_empty, make_folder(path.parent))
            place_of(path)
        frames, reference = _frames(sources, at)
        burst = prepare(frames, upscaler, psf, reference, on_progress)
        shape = burst.shape
        gray = Shape(shape.height, shape.width, 1, False)
        other: ImageWriter | None = None
        files.push(lambda kind, *_: _withdraw(other, uncertainty) if kind else None)
        writer = files.enter_context(create(target, shape, burst.metadata, encoding, sources[0]))
        if uncertainty is not None:
            other = files.enter_context(create(uncertainty, gray, Metadata(depth=16), like=sources[0]))
        done = 0
        for rows, deviation in burst.bands():
            writer.write(rows)
            if other:
                other.write(np.minimum(deviation / np.float32(WHITE), 1)[..., None])
            done += len(rows)
            if on_progress:
                on_progress(f"{done} of {shape.height} rows")
        for each in filter(None, (writer, other)):
            each.encode()
    return burst.report, writer.note


def _withdraw(writer: ImageWriter | None, path: Path | None) -> None:
    """Of two files that appear together, the first, when the second has failed."""
    if writer and path and writer.has_appeared:
        path.unlink(missing_ok=True)


def _frames(sources: Sequence[Path], at: Moment | None) -> tuple[list[Frame], int | None]:
    if at is None:
        return [Frame.of(source, k) for k, source in enumerate(sources, 1)], None
    if len(sources) != 1:
        raise BadRequest(f"a moment of {len(sources)} files; expected one clip")
    return frames_at(sources[0], at.seconds, at.frames)

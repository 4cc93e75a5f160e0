"""A video as numbered images in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from subpixel import atomic
from subpixel.errors import BadRequest, UnwritableImage, unwritten
from subpixel.images import Encoding, Floats, Metadata, create
from subpixel.images.video_frames import Turn, colour_of
from subpixel.ports import Shape
from subpixel.video.decoding import Frame
from subpixel.video.enlarging import rgb_image
from subpixel.video.planes import Layout, Plane
from subpixel.video.segments import Partial
from subpixel.video.source import Source


class NumberedImages:
    """Writes frames as 000001.png and on; `done` is how many are there already."""

    def __init__(self, folder: Path, source: Source, layout: Layout, done: int) -> None:
        self._folder, self._result, self._done = folder, replace(source, layout=layout), done
        self._turn = Turn.of(source.rotation)
        colour = colour_of(source.colours.primaries, source.colours.transfer)
        self._metadata = Metadata(depth=8 if source.layout.bits == 8 else 16, colour=colour)
        folder.mkdir(exist_ok=True)

    def encode(self, _: Frame, planes: list[Plane]) -> tuple[()]:
        """Writes one; no packets come of it. Raises: UnwritableImage."""
        self._done += 1
        samples = self._turn.upright(self._samples(planes))
        height, width, count = samples.shape
        shape = Shape(height, width, 3 if count > 2 else 1, self._result.layout.alpha)
        with create(self._folder / f"{self._done:06}.png", shape, self._metadata, Encoding()) as writer:
            writer.write(samples)
        return ()

    def finish(self) -> tuple[()]:
        """Nothing is waiting."""
        return ()

    def _samples(self, planes: list[Plane]) -> Floats:
        layout = self._result.layout
        colour = rgb_image(planes, self._result)[..., : 1 if layout.is_gray else 3]
        if not layout.alpha:
            return colour
        return np.dstack([colour, planes[-1].astype(np.float32) / np.float32(2**layout.bits - 1)])


def lost_in_images(source: Source) -> Iterator[str]:
    """What a video has, and a folder of images has not, beside its other streams."""
    if not source.images:
        yield f"the times of the frames ({float(source.rate):.3f} a second on average)"
    aspect = Turn.of(source.rotation).aspect(source.aspect)
    if aspect != 1:
        yield f"the shape of a pixel ({aspect.numerator}:{aspect.denominator})"


def check_free(target: Path, partial: Partial) -> None:
    """Raises: BadRequest where a folder holds what this job has not made."""
    is_ours = partial.frames() > 0 and not partial.images.is_dir()
    if target.is_dir() and any(target.iterdir()) and not is_ours:
        raise BadRequest(f"the folder {target} is not empty; name another one, or empty it")


def appear(partial: Partial, target: Path) -> None:
    """Lets the images take their place; they have already where that was interrupted. Raises: UnwritableImage."""
    frames = partial.frames()
    try:
        if partial.images.is_dir():
            check_free(target, partial)
            atomic.commit(partial.images, target)
        count = len(list(target.glob("*.png")))
    except OSError as error:
        raise UnwritableImage(target, unwritten(error)) from error
    if count != frames:
        raise UnwritableImage(target, f"{count} of {frames} images are in it")

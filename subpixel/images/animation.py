"""Animations: frames of one size that follow each other, each complete; libvips decodes GIF and WebP, Pillow APNG of 8
bits and `apng` of 16."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UnreadableImage
from subpixel.images.apng import Apng, planes_of
from subpixel.images.metadata import Animation, Metadata
from subpixel.images.png import SIGNATURE, chunk, chunks
from subpixel.images.samples import vips
from subpixel.ports import Shape

Levels = NDArray[np.uint8 | np.uint16]
_DEPTH, _COLOURS = 24, 25
"""Where a PNG says how many bits a sample has, and whether it is gray."""
_TIMES = 65535
"""The largest that either number of a time in an APNG can be."""
_ICC = "icc-profile-data"
"""What libvips calls it."""
_PLAYS = {"GIF": 2**16, "WebP": 2**16 - 1, "PNG": 2**31 - 1}
"""The most often that a format has an animation played."""


class AnimationReader:
    """An opened animation, upright; one frame at a time is in memory.

    shape, frames: as they are stored, before the turn, 1 to 8 as EXIF counts it.
    """

    def __init__(
        self, name: str | Path, shape: Shape, metadata: Metadata, frames: Callable[[], Iterator[Levels]], turn: int
    ) -> None:
        self.name, self.metadata = name, metadata
        self.shape = replace(shape, height=shape.width, width=shape.height) if turn > 4 else shape
        self._frames, self._turn = frames, turn

    def frames(self) -> Iterator[Levels]:
        """Each frame as it is seen, (H, W, C [+ 1: alpha]).

        Raises: UnreadableImage where the file turns out to be damaged.
        """
        for frame in self._frames():
            yield _upright(frame, self._turn)


def _upright(frame: Levels, turn: int) -> Levels:
    frame = frame.swapaxes(0, 1) if turn > 4 else frame
    down, across = turn in (3, 4, 7, 8), turn in (2, 3, 6, 7)
    return np.ascontiguousarray(frame[:: -1 if down else 1, :: -1 if across else 1])


def timing(image: Any) -> Animation:
    """What libvips says of an animation that it opened."""
    loop = int(image.get("loop")) if image.get_typeof("loop") else 0
    delays = [int(delay) for delay in image.get("delay")] if image.get_typeof("delay") else []
    count = int(image.get("n-pages"))
    return Animation(tuple((delays + [100] * count)[:count]), loop)


def stored_as(name: str, animation: Animation) -> tuple[Animation, list[str]]:
    """An animation as a format has it, by the format's name, and what that changes, as sentences.

    GIF counts in 1/100 s, and WebP takes 10 ms or less for 100; all end somewhere.
    """
    delays = tuple(_stored_delay(name, delay) for delay in animation.delays)
    stored = Animation(delays, min(animation.loop, _PLAYS.get(name, animation.loop)))
    off = max(abs(a - b) for a, b in zip(animation.delays, delays, strict=True))
    changes = [f"the times of its frames changed by up to {off} ms"] if off else []
    fewer = stored.loop < animation.loop
    return stored, changes + [f"it is played {stored.loop:,} times, not {animation.loop:,}"] * fewer


def _stored_delay(name: str, delay: int) -> int:
    """Milliseconds."""
    if name == "GIF":
        return 10 * min(round(delay / 10), _TIMES)
    if name == "WebP":
        return min(delay, 2**24 - 1) if delay > 10 else 100
    above, unit = _fraction(delay)
    return 1000 * above // unit


def _fraction(delay: int) -> tuple[int, int]:
    """Milliseconds as the two numbers that an APNG divides to have seconds."""
    unit = next((unit for unit in (1000, 100, 10) if delay * unit <= 1000 * _TIMES), 1)
    return min(round(delay * unit / 1000), _TIMES), unit


def apng_frames(name: str | Path, file: BinaryIO) -> tuple[Shape, Animation, Callable[[], Iterator[Levels]]]:
    """The frames of an animated PNG, blended as it says. Raises: UnreadableImage, also from the frames."""
    file.seek(0)
    data = file.read()
    if data[_DEPTH] == 16:
        return _of_16_bits(name, data)
    with _refusing(name):
        image = _apng(data)
        delays, loop = _delays(data), int(image.info.get("loop", 0))
        mode = "RGBA" if image.has_transparency_data else "RGB"
        first = int(bool(image.default_image))  # an image for viewers that know no animations
    planes = planes_of(data[_COLOURS], mode == "RGBA")
    shape = Shape(image.height, image.width, len(planes) - (mode == "RGBA"), mode == "RGBA", "uint8")

    def frames() -> Iterator[Levels]:
        again = _apng(data)
        for k in range(first, first + len(delays)):
            with _refusing(name):
                again.seek(k)
                frame = np.asarray(again.convert(mode))[..., planes]
            yield frame

    return shape, Animation(delays, loop), frames


def _of_16_bits(name: str | Path, data: bytes) -> tuple[Shape, Animation, Callable[[], Iterator[Levels]]]:
    with _refusing(name):
        opened = Apng(data)
        shape = Shape(opened.height, opened.width, len(opened.planes) - opened.alpha, opened.alpha, "uint16")

    def frames() -> Iterator[Levels]:
        with _refusing(name):
            yield from opened.shown()

    return shape, Animation(tuple(frame.delay for frame in opened.frames), opened.plays), frames


def _apng(data: bytes) -> Any:
    from PIL import PngImagePlugin

    return PngImagePlugin.PngImageFile(io.BytesIO(data))


@contextmanager
def _refusing(name: str | Path) -> Generator[None]:
    """Whatever a decoder raises for what its file made it do is one error."""
    try:
        yield
    except Exception as error:
        raise UnreadableImage(name, "it is damaged, truncated or of a rare kind") from error


def _delays(data: bytes) -> tuple[int, ...]:
    """Milliseconds, from the chunks that control the frames (PNG, third edition, 11.3.6.2)."""
    delays = list[int]()
    for kind, body, _ in chunks(io.BytesIO(data)):
        if kind == b"fcTL" and len(body) == 26:
            delay, unit = struct.unpack(">HH", body[20:24])
            delays.append(round(1000 * delay / (unit or 100)))
    return tuple(delays)


def write_apng(image: Any, part: Path, animation: Animation, options: dict[str, Any]) -> None:
    """Write a column of frames as an animated PNG, frame by frame. Raises: OSError, pyvips.Error."""
    count = len(animation.delays)
    width, height = int(image.width), int(image.height) // count
    pyvips = vips()
    with part.open("wb") as file:
        number = 0
        for k, delay in enumerate(animation.delays):
            levels = pyvips.Region.new(image).fetch(0, k * height, width, height)  # rows come in order only
            frame = pyvips.Image.new_from_memory(levels, width, height, image.bands, image.format)
            if image.get_typeof(_ICC):
                frame.set_type(pyvips.GValue.blob_type, _ICC, image.get(_ICC))
            encoded = frame.copy(interpretation=image.interpretation).pngsave_buffer(**options)
            own = list(_chunks_of(encoded))
            if k == 0:
                file.write(SIGNATURE + b"".join(chunk(*c) for c in own if c[0] not in (b"IDAT", b"IEND")))
                file.write(chunk(b"acTL", struct.pack(">II", count, animation.loop)))
            control = struct.pack(">5I2H2B", number, width, height, 0, 0, *_fraction(delay), 0, 0)
            file.write(chunk(b"fcTL", control))
            number += 1
            for data in (body for kind, body in own if kind == b"IDAT"):
                file.write(chunk(b"fdAT", struct.pack(">I", number) + data) if k else chunk(b"IDAT", data))
                number += k > 0
        file.write(chunk(b"IEND", b""))


def _chunks_of(encoded: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(encoded):
        size, kind = struct.unpack_from(">I4s", encoded, at)
        yield kind, encoded[at + 8 : at + 8 + size]
        at += 12 + size


def as_column(image: Any, animation: Animation) -> Any:
    """An image of libvips whose rows are frame after frame, marked as such."""
    types = vips().GValue
    image = image.copy()
    image.set_type(types.gint_type, "page-height", int(image.height) // len(animation.delays))
    image.set_type(types.array_int_type, "delay", list(animation.delays))
    image.set_type(types.gint_type, "loop", animation.loop)
    return image

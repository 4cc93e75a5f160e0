"""Opening images: an `ImageReader` gives rows of floats, whatever the file holds; libvips decodes, or Pillow."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UnreadableImage, unread
from subpixel.images import exif, profiles, xmp
from subpixel.images.animation import AnimationReader, apng_frames, timing
from subpixel.images.budget import check_decoding, check_decoding_beside, check_pixels
from subpixel.images.containers import read_contents
from subpixel.images.contents import Contents
from subpixel.images.decoders import decode
from subpixel.images.formats import FILE_FORMATS, HEAD, VIDEO, FileFormat, format_of_content
from subpixel.images.kinds import ENDINGS, split_ending
from subpixel.images.loading import load
from subpixel.images.metadata import Depth, Metadata
from subpixel.images.samples import cmyk_to_srgb, dequantise, limited, vips
from subpixel.images.stored import StoredLevels
from subpixel.images.streams import name_of, replayable
from subpixel.ports import Shape

MAX_PIXELS = 2**30
"""A header that claims more pixels than this is refused before anything is decoded (32,768 x 32,768)."""

_SEVERAL = "it has {} frames or pages; save the one you want as its own file"
_PARTLY = "damage inside it was passed over; parts of it may be wrong"
_DAMAGED = "it is damaged, truncated or of a rare kind"
_LEVELS: dict[str, tuple[str, Depth]] = {  # libvips' sample formats
    "uchar": ("u1", 8),
    "ushort": ("u2", 16),
    "float": ("f4", 32),
    "double": ("f8", 32),
}
_DTYPES: dict[str, Literal["uint8", "uint16", "float32"]] = {"uchar": "uint8", "ushort": "uint16"}
# Interpretations whose samples are taken as they are.
_UNCONVERTED = {"b-w", "srgb", "rgb", "rgb16", "grey16", "scrgb", "multiband"}


class ImageReader:
    """An opened image, upright, in gray or RGB; its rows are decoded when they are asked for."""

    quantisation: tuple[int, ...] | None = None
    """The 64 steps of luma of a JPEG file, row by row; None for other files."""

    def __init__(
        self, name: str | Path, image: Any, metadata: Metadata, has_alpha: bool, again: Callable[[], Any] | None = None
    ) -> None:
        self.name, self.metadata = name, metadata
        self._again = again  # opens an image that is damaged in parts, as far as it can be read
        dtype = _DTYPES.get(image.format, "float32")
        self.shape = Shape(int(image.height), int(image.width), int(image.bands) - has_alpha, has_alpha, dtype)
        self._image = image

    def rows(self, y0: int, y1: int) -> NDArray[Any]:
        """Rows y0 to y1 (exclusive) as (y1 - y0, W, C [+ 1: alpha]): uint8, uint16, or float32 in [0, 1].

        Raises UnreadableImage where the file turns out to be damaged, or holds floats outside [0, 1].
        """
        levels = self.numbers(y0, y1)
        if levels.dtype.kind != "f":
            return levels
        floats = limited(levels)
        if floats is None:
            why = "its floats leave [0, 1] or are not numbers; scale them to [0, 1] or store it with 16 bits"
            raise UnreadableImage(self.name, why)
        return dequantise(floats)

    def numbers(self, y0: int, y1: int) -> NDArray[Any]:
        """Rows as `rows` gives them, but floats as they are in the file, of any range.

        Raises UnreadableImage where the file turns out to be damaged.
        """
        height, width = self.shape.height, self.shape.width
        if not 0 <= y0 < y1 <= height:
            raise IndexError(f"rows {y0} to {y1} of an image of {height} rows")
        pyvips, image = vips(), self._image
        if isinstance(image, StoredLevels):
            return self._stored(image, y0, y1)
        try:
            data = pyvips.Region.new(image).fetch(0, y0, width, y1 - y0)
        except pyvips.Error as error:
            again = self._again
            if again is None and image is self._image:  # no other thread has opened it anew
                raise UnreadableImage(self.name, _reason(error, image)) from error
            if again:
                notes = dict.fromkeys((*self.metadata.notes, _PARTLY))
                self._image, self.metadata, self._again = again(), replace(self.metadata, notes=tuple(notes)), None
            return self.numbers(y0, y1)
        return np.frombuffer(data, _LEVELS[image.format][0]).reshape(y1 - y0, width, image.bands)

    def _stored(self, levels: StoredLevels, y0: int, y1: int) -> NDArray[Any]:
        try:
            return levels.rows(y0, y1)
        except (OSError, ValueError) as error:
            raise UnreadableImage(self.name, "it changed while it was read") from error


def open_image(source: str | Path | bytes | BinaryIO, every_channel: bool = False) -> ImageReader:
    """Open an image: a path, "-" for standard input, the bytes of a file, or an open binary file.

    Of a path only the header is read, where libvips decodes it. every_channel: of a TIFF those too that are neither
    colour nor alpha, such as infrared.

    Raises UnreadableImage for a file that is missing, not an image, animated, or larger than MAX_PIXELS;
    MissingExtra where an extra would read it.
    """
    opened = open_any(source, every_channel=every_channel)
    if isinstance(opened, ImageReader):
        return opened
    assert opened.metadata.animation
    raise UnreadableImage(opened.name, _SEVERAL.format(len(opened.metadata.animation.delays)))


def open_any(
    source: str | Path | bytes | BinaryIO, most: int | None = None, every_channel: bool = False
) -> ImageReader | AnimationReader:
    """Open an image as `open_image` does, or an animation in GIF, WebP or PNG.

    most: pixels, of all frames together; None for MAX_PIXELS.
    """
    check_size = partial(check_pixels, MAX_PIXELS if most is None else most)
    name, source = name_of(source), replayable(source)
    file_format = _format_of(name, _head(source))
    pyvips = vips()
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            contents = read_contents(file)
            if file_format.name == "PNG" and contents.frames > 1:
                return _apng(name, file, contents, check_size)
            _check_pages(name, contents, file_format.animated)
            if file_format.name == "TIFF" and contents.unknown_colours:
                raise UnreadableImage(name, f"its numbers are {contents.unknown_colours}; convert it to RGB first")
            if file_format.decoder == "libvips" and not contents.is_rare:
                image = load(source, file, file_format, contents)
            else:
                check = partial(_check_beside, check_size, name, file_format)
                decoded = decode(name, file, file_format, contents, check)
                if isinstance(decoded, StoredLevels):
                    metadata = _metadata(contents, 8, (decoded.height, decoded.width))
                    return ImageReader(name, decoded, metadata, decoded.bands in (2, 4))
                image = pyvips.Image.new_from_array(decoded[0], interpretation=decoded[1])
                _check_pages(name, contents, animated=False)
        check_size(name, image.width, image.height)
        if image.get_typeof("vips-loader") and contents.frames == 1:
            check_decoding(name, image, contents.orientation)
        if contents.frames > 1:
            return _animation(name, image, contents)
        return _still(name, source, image, file_format, contents, every_channel)
    except UnreadableImage:
        raise
    except (OSError, pyvips.Error) as error:
        raise UnreadableImage(name, unread(error) if isinstance(error, OSError) else _reason(error)) from error


def _head(source: str | Path | bytes) -> bytes:
    """The first bytes of a file, after which it is known to exist and to be readable."""
    if isinstance(source, bytes):
        return source[:HEAD]
    try:
        with open(source, "rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise UnreadableImage(source, unread(error)) from error
    except ValueError as error:
        raise UnreadableImage(repr(str(source)), "not a file name") from error


def _format_of(name: str | Path, head: bytes) -> FileFormat:
    if not head:
        raise UnreadableImage(name, "it is empty")
    recognised = format_of_content(head, name)
    if recognised is None and (kind := ENDINGS.get(split_ending(str(name))[1].lower())):
        raise UnreadableImage(name, f"{kind.name} is no photo; `subpixel upscale` and subpixel.upscale_file enlarge it")
    if recognised is None and VIDEO.match(head):
        raise UnreadableImage(name, "it is a video; `subpixel video` enlarges it, `subpixel burst --at TIME` a moment")
    if recognised is None:
        names = [file_format.name for file_format in FILE_FORMATS.values()]
        usual, others = ", ".join(names[:13]), len(names) - 13
        raise UnreadableImage(name, f"not an image in a format that can be read ({usual} and {others} others)")
    return recognised


def _check_beside(
    check_size: Callable[[str | Path, int, int], None],
    name: str | Path,
    file_format: FileFormat,
    width: int,
    height: int,
    sample: int,
) -> None:
    check_size(name, width, height)
    check_decoding_beside(name, file_format.name, width, height, sample)


def _check_pages(name: str | Path, contents: Contents, animated: bool) -> None:
    if contents.frames > 1 and not animated:
        raise UnreadableImage(name, _SEVERAL.format(contents.frames))
    if contents.is_cut:
        raise UnreadableImage(name, _DAMAGED)


def _still(
    name: str | Path, source: str | Path | bytes, image: Any, file_format: FileFormat, contents: Contents, every: bool
) -> ImageReader:
    def upright(image: Any) -> tuple[Any, Metadata, bool]:
        return _to_rgb(name, _turned(image, contents.orientation), contents, every)

    def again() -> Any:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            return upright(load(source, file, file_format, contents, mildly=True))[0]

    opened = ImageReader(name, *upright(image), again if contents.restarts else None)
    opened.quantisation = contents.quantisation
    return opened


def _animation(name: str | Path, image: Any, contents: Contents) -> AnimationReader:
    """What libvips opened as a column of frames, which are turned one by one."""
    column, animation = ImageReader(name, *_to_rgb(name, image, contents, every=False)), timing(image)
    height = column.shape.height // len(animation.delays)

    def frames() -> Iterator[NDArray[Any]]:
        for k in range(len(animation.delays)):
            yield column.rows(k * height, (k + 1) * height)

    metadata = replace(column.metadata, animation=animation)
    return AnimationReader(name, replace(column.shape, height=height), metadata, frames, contents.orientation)


def _apng(
    name: str | Path, file: BinaryIO, contents: Contents, check_size: Callable[[str | Path, int, int], None]
) -> AnimationReader:
    shape, animation, frames = apng_frames(name, file)
    check_size(name, shape.width, shape.height * len(animation.delays))
    depth: Depth = 16 if shape.dtype == "uint16" else 8
    check_decoding_beside(name, "PNG", shape.width, shape.height, 2 if depth == 16 else 0)
    opened = AnimationReader(name, shape, Metadata(), frames, contents.orientation)
    upright = opened.shape.height, opened.shape.width
    opened.metadata = replace(_metadata(contents, depth, upright), animation=animation)
    return opened


def _reason(error: Exception, image: Any = None) -> str:
    """Why decoding failed, in our words: libvips collects the messages of all threads in one place."""
    needed = image.width * image.height * image.bands if image is not None else 0
    folder = os.environ.get("TMPDIR") or tempfile.gettempdir()  # which passes over a full one
    if ("write failed" in str(error) or "temporary" in str(error)) and shutil.disk_usage(folder).free < 2 * needed:
        return f"the folder for temporary files, {folder}, is full"
    return _DAMAGED


def _metadata(contents: Contents, depth: Depth, sides: tuple[int, int]) -> Metadata:
    """What the file says, made true for the upright image."""
    turn, left_out = contents.orientation, set(contents.others)
    block = exif.upright(contents.exif, sides, turn) if contents.exif else None
    packet, stale = xmp.upright(contents.xmp, turn > 1) if contents.xmp else (None, [])
    if contents.exif and block is None:
        left_out.add("damaged EXIF")
    if contents.exif and exif.has_thumbnail(contents.exif):
        left_out.add("the thumbnail in EXIF")
    icc = profiles.whole(contents.icc) if contents.icc else None
    if contents.icc and icc is None:
        left_out.add("damaged ICC profile")
    dpi = contents.dpi or (exif.resolution(block) if block else None)
    if dpi and not all(0.01 <= value <= 65535 for value in dpi):
        dpi = None
        left_out.add("an impossible resolution")
    x, y = (round(value, 2) for value in dpi or (0, 0))  # a PNG counts in whole pixels a metre
    return Metadata(
        icc=icc,
        exif=block,
        xmp=packet,
        iptc=contents.iptc,
        dpi=((y, x) if turn > 4 else (x, y)) if dpi else None,
        depth=contents.depth if contents.depth in (10, 12) else depth,
        text=tuple(contents.text),
        colour=contents.colour,
        lossless=contents.lossless,
        sides=sides,
        left_out=frozenset(left_out | set(stale)),
        notes=tuple(contents.notes),
    )


def _to_rgb(name: str | Path, image: Any, contents: Contents, every: bool) -> tuple[Any, Metadata, bool]:
    """The image in gray or RGB, the metadata that is true of it upright, and whether there is alpha."""
    image, contents = _in_rgb(image, contents)
    if contents.opaque and image.bands in (2, 4) and not every:
        image = image[: image.bands - 1] if image.bands > 2 else image[0]
        contents.others.add("a channel that is neither colour nor alpha")
    if image.format not in _LEVELS or (image.bands > 4 and not every):
        layout = f"{image.bands} channels of type {image.format}"
        raise UnreadableImage(name, f"it has {layout}; convert it to gray or RGB with 8 or 16 bits")
    if contents.depth in (10, 12) and image.format == "ushort":  # libheif leaves the lowest bits zero
        image = image.linear(65535 / (65535 >> 16 - contents.depth << 16 - contents.depth), 0.5).cast("ushort")
    has_alpha = image.bands in (2, 4) and not (every and contents.opaque)
    sides = image.height // contents.frames, image.width
    if contents.frames > 1 and contents.orientation > 4:  # a column is not turned
        sides = sides[1], sides[0]
    return image, _metadata(contents, _LEVELS[image.format][1], sides), has_alpha


def _turned(image: Any, orientation: int) -> Any:
    image = image.copy()
    image.set_type(vips().GValue.gint_type, "orientation", orientation)
    return image.autorot() if orientation > 1 else image


def _in_rgb(image: Any, contents: Contents) -> tuple[Any, Contents]:
    """The image in gray or RGB, and what is then true of it."""
    if image.interpretation in _UNCONVERTED:
        return image, contents
    if image.interpretation == "cmyk":
        converted = cmyk_to_srgb(image, contents.icc)
    else:
        converted = image.colourspace("srgb" if image.format == "uchar" else "rgb16")
    return converted, contents.in_srgb(str(image.interpretation).upper())

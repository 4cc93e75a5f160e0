"""Opening images: an `ImageReader` gives rows of floats, whatever the file holds; libvips decodes."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import UnreadableImage
from subpixel.images import tiff
from subpixel.images.metadata import Depth, Metadata, iptc_from_jpeg, resolution, upright
from subpixel.images.samples import dequantise, in_range, vips
from subpixel.ports import Shape

MAX_PIXELS = 2**30
"""A header that claims more pixels than this is refused before anything is decoded (32,768 x 32,768)."""

_LEVELS: dict[str, tuple[str, Depth]] = {  # libvips' sample formats
    "uchar": ("u1", 8),
    "ushort": ("u2", 16),
    "float": ("f4", 32),
    "double": ("f8", 32),
}
_DTYPES: dict[Depth, Literal["uint8", "uint16", "float32"]] = {8: "uint8", 16: "uint16", 32: "float32"}
# Interpretations whose samples are taken as they are.
_UNCONVERTED = {"b-w", "srgb", "rgb", "rgb16", "grey16", "scrgb", "multiband"}
_LOADERS = ("jpeg", "png", "webp", "tiff", "heif", "gif", "jxl", "jp2k")


class ImageReader:
    """An opened image, upright, in gray or RGB; its rows are decoded when they are asked for."""

    def __init__(self, name: str | Path, image: Any, metadata: Metadata, has_alpha: bool) -> None:
        self.name, self.metadata = name, metadata
        dtype = _DTYPES[metadata.depth]
        self.shape = Shape(int(image.height), int(image.width), int(image.bands) - has_alpha, has_alpha, dtype)
        self._image = image

    def rows(self, y0: int, y1: int) -> NDArray[Any]:
        """Rows y0 to y1 (exclusive) as (y1 - y0, W, C [+ 1: alpha]): uint8, uint16, or float32 in [0, 1].

        Raises UnreadableImage where the file turns out to be damaged, or holds floats outside [0, 1].
        """
        height, width = self.shape.height, self.shape.width
        if not 0 <= y0 < y1 <= height:
            raise IndexError(f"rows {y0} to {y1} of an image of {height} rows")
        pyvips, image = vips(), self._image
        try:
            data = pyvips.Region.new(image).fetch(0, y0, width, y1 - y0)
        except pyvips.Error as error:
            raise UnreadableImage(self.name, _reason(error)) from error
        levels = np.frombuffer(data, _LEVELS[image.format][0]).reshape(y1 - y0, width, image.bands)
        if levels.dtype.kind != "f":
            return levels
        if not in_range(levels):
            why = "its floats leave [0, 1] or are not numbers; scale them to [0, 1] or store it with 16 bits"
            raise UnreadableImage(self.name, why)
        return dequantise(levels)


def open_image(source: str | Path | bytes | BinaryIO) -> ImageReader:
    """Open an image: a path, "-" for standard input, the bytes of a file, or an open binary file.

    Of a path only the header is read.

    Raises UnreadableImage for a file that is missing, not an image, animated, or larger than MAX_PIXELS.
    """
    name: str | Path = source if isinstance(source, str | Path) else "the image"
    if str(source) == "-":
        name, source = "standard input", sys.stdin.buffer
    if not isinstance(source, str | Path | bytes):
        source = source.read()
    elif is_pipe(source):
        source = _drained(source)
    head = _head(source)
    if not head:
        raise UnreadableImage(name, "it is empty")
    pyvips = vips()
    try:
        image, gain_map = _load(pyvips, source, head)
        _check_header(name, image)
        metadata = replace(_read_metadata(image, source), gain_map=gain_map)
        return ImageReader(name, *_to_rgb(name, image, metadata))
    except pyvips.Error as error:
        raise UnreadableImage(name, _reason(error, head)) from error


def is_pipe(source: str | Path | bytes) -> bool:
    """Whether a path is that of a pipe, such as a shell's `<(...)`, whose bytes come once."""
    with suppress(OSError):
        return not isinstance(source, bytes) and Path(source).is_fifo()
    return False


def _drained(pipe: str | Path | bytes) -> bytes:
    with open(pipe, "rb") as file:
        return file.read()


def _head(source: str | Path | bytes) -> bytes:
    """The first bytes of a file, after which it is known to exist, to be readable and not to be empty."""
    if isinstance(source, bytes):
        return source[:16]
    try:
        with open(source, "rb") as file:
            return file.read(16)
    except OSError as error:
        reasons = {errno.ENOENT: "no such file", errno.EISDIR: "it is a folder"}
        raise UnreadableImage(source, reasons.get(error.errno or 0, str(error.strerror).lower())) from error
    except ValueError as error:
        raise UnreadableImage(repr(str(source)), "not a file name") from error


def _load(pyvips: Any, source: str | Path | bytes, head: bytes) -> tuple[Any, bool]:
    """Open through a libvips source, which takes a file's name as it is: `new_from_file` parses [brackets].

    Damage inside a JPEG or GIF is only a warning to its decoder; in TIFF and PNG, trifles are warnings too. Also says
    whether it is a JPEG with a gain map (Ultra HDR), which the plain loader opens then: the other drops XMP and IPTC.
    """
    if isinstance(source, bytes):
        stream = pyvips.Source.new_from_memory(source)
    else:
        with open(source, "rb") as file:  # by descriptor: libvips takes no name that is not UTF-8
            stream = pyvips.Source.new_from_descriptor(file.fileno())
    fail_on = "warning" if head.startswith((b"\xff\xd8", b"GIF8")) else "error"
    image = pyvips.Image.new_from_source(stream, "", fail_on=fail_on)
    if str(image.get("vips-loader")).startswith("uhdr"):
        return pyvips.Image.jpegload_source(stream, fail_on=fail_on), True
    return image, False


def _check_header(name: str | Path, image: Any) -> None:
    loader = str(image.get("vips-loader"))
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if not loader.startswith(_LOADERS):
        raise UnreadableImage(name, "not an image made of pixels; convert it to PNG first")
    if image.width * image.height > MAX_PIXELS:
        size = f"it claims {image.width:,} x {image.height:,} pixels"
        raise UnreadableImage(name, f"{size}, more than the limit of {MAX_PIXELS:,} in all")
    if pages > 1:
        raise UnreadableImage(name, f"it has {pages} frames or pages; save the one you want as its own file")


_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"RIFF", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8")


def _reason(error: Exception, head: bytes = b"") -> str:
    """libvips' message of many lines in one that a person understands."""
    if "not in a known format" in str(error):
        if head.startswith(_SIGNATURES):
            return "it is damaged or truncated"
        return "not an image in a format that can be read (JPEG, PNG, WebP, TIFF, AVIF, GIF)"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "load error" not in line]
    return f"it is damaged, truncated or of a rare kind ({causes[-1] if causes else 'no more is known'})"


def _block(image: Any, name: str) -> bytes | None:
    return bytes(image.get(name)) if image.get_typeof(name) else None


def _read_metadata(image: Any, source: str | Path | bytes) -> Metadata:
    exif = _block(image, "exif-data")
    if exif is None and str(image.get("vips-loader")).startswith("tiff"):
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            exif = tiff.from_tiff(file)
    exif = exif and upright(exif.removeprefix(b"Exif\0\0"))
    iptc = _block(image, "iptc-data")
    iptc = iptc and iptc_from_jpeg(iptc)
    return Metadata(_block(image, "icc-profile-data"), exif, _block(image, "xmp-data"), iptc, _dpi(image, exif))


def _dpi(image: Any, exif: bytes | None) -> tuple[float, float] | None:
    x, y = round(image.xres * 25.4, 2), round(image.yres * 25.4, 2)
    if x == y and x in (25.4, 71.98, 72.01, 72.0):  # libvips' values where a file is silent; EXIF's is 72 too
        stated = resolution(exif) if exif else None
        if stated is None:
            return None
        x, y = stated
    transposed = image.get_typeof("orientation") and image.get("orientation") > 4
    return (y, x) if transposed else (x, y)


def _to_rgb(name: str | Path, image: Any, metadata: Metadata) -> tuple[Any, Metadata, bool]:
    """The image upright in gray or RGB, the metadata that is then true, and whether there is alpha."""
    deep = image.format != "uchar"
    if image.get_typeof("orientation") and image.get("orientation") > 1:
        image = image.autorot()
    if image.interpretation == "cmyk":
        image = image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=16 if deep else 8)
        metadata = replace(metadata, icc=None)
    elif image.interpretation == "labq":  # 8-bit CIELAB
        raise UnreadableImage(name, "its colours are CIELAB with 8 bits; convert it to RGB first")
    elif image.interpretation not in _UNCONVERTED:
        image = image.colourspace("rgb16" if deep else "srgb")
        metadata = replace(metadata, icc=None)
    if image.format not in _LEVELS or image.bands > 4:
        layout = f"{image.bands} channels of type {image.format}"
        raise UnreadableImage(name, f"it has {layout}; convert it to gray or RGB with 8 or 16 bits")
    return image, replace(metadata, depth=_LEVELS[image.format][1]), image.bands in (2, 4)

"""The formats that can be read or written, what each has room for, and how a file of it is asked for."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from subpixel.errors import BadRequest, UnwritableImage
from subpixel.images import kinds, profiles
from subpixel.images.animation import stored_as
from subpixel.images.metadata import Colour, Depth, Metadata, Text, became_srgb
from subpixel.images.samples import converts


@dataclass(frozen=True)
class FileFormat:
    """A format and its limits; those of the second half matter where it can be written."""

    name: str
    suffixes: tuple[str, ...]
    signature: re.Pattern[bytes] | None
    """Matches the first bytes of a file; None where only the name says so."""
    decoder: str = "libvips"
    extra: str = ""
    """The extra that brings the decoder, where it is not in the plain install."""
    save: str = ""
    """The operation of libvips that writes it; none: it is only read."""
    depths: tuple[Depth, ...] = (8,)
    alpha: bool = True
    max_side: int = 2**31 - 1
    """Pixels."""
    icc: bool = True
    """Where it has no profiles, colours become sRGB."""
    iptc: bool = False
    gray: bool = True
    lossless: bool = True
    lossy: bool = False
    """It has a quality."""
    animated: bool = False
    palette: bool = False
    """256 colours a frame: it is written where it is asked for by name alone."""


def _starts(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


_HEIC = rb".{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)"
_SPIDER = rb"\0\0\x80\x3f.{12}\0\0\x80\x3f|\x3f\x80\0\0.{12}\x3f\x80\0\0"
"""One slice, and the kind of two dimensions, as floats of either byte order."""
_OF_FLOATS = (".pfm", ".spi", ".spider")
FILE_FORMATS = {
    "png": FileFormat("PNG", (".png", ".apng"), _starts(rb"\x89PNG"), save="pngsave", depths=(8, 16), animated=True),
    "jpg": FileFormat(
        "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), _starts(rb"\xff\xd8"), save="jpegsave", alpha=False,
        max_side=65500, iptc=True, lossless=False, lossy=True,
    ),
    "webp": FileFormat(
        "WebP", (".webp",), _starts(rb"RIFF.{4}WEBP"), save="webpsave", max_side=16383, gray=False, lossy=True,
        animated=True,
    ),
    "tif": FileFormat(
        "TIFF", (".tif", ".tiff"), _starts(rb"II[*+]\0|MM\0[*+]"), save="tiffsave", depths=(8, 16, 32), iptc=True
    ),
    "avif": FileFormat(
        "AVIF", (".avif",), _starts(rb".{4}ftyp(.{4})*?avi[fs]"), save="heifsave", depths=(8, 10, 12), max_side=16384,
        gray=False, lossy=True,
    ),
    "gif": FileFormat(
        "GIF", (".gif",), _starts(rb"GIF8[79]a"), save="gifsave", max_side=65535, icc=False, gray=False,
        animated=True, palette=True,
    ),
    "bmp": FileFormat("BMP", (".bmp", ".dib"), _starts(rb"BM.{4}"), "Pillow"),
    "tga": FileFormat("TGA", (".tga", ".targa"), None, "Pillow"),
    "pnm": FileFormat("PNM", (".pnm", ".pbm", ".pgm", ".ppm"), _starts(rb"P[1-6]\s"), "Pillow"),
    "jp2": FileFormat(
        "JPEG 2000", (".jp2", ".j2k", ".jpx", ".jpf"), _starts(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"), "Pillow"
    ),
    "ico": FileFormat("ICO", (".ico", ".cur"), _starts(rb"\0\0[\x01\x02]\0(?!\0\0)"), "Pillow"),
    "icns": FileFormat("ICNS", (".icns",), _starts(rb"icns"), "Pillow"),
    "psd": FileFormat("PSD", (".psd",), _starts(rb"8BPS"), "Pillow"),
    "dds": FileFormat("DDS", (".dds",), _starts(rb"DDS "), "Pillow"),
    "blp": FileFormat("BLP", (".blp",), _starts(rb"BLP[12]"), "Pillow"),
    "dib": FileFormat("DIB", (), _starts(rb"\x28\0\0\0.{8}\x01\0"), "Pillow"),
    "gbr": FileFormat("GBR", (".gbr",), None, "Pillow"),
    "im": FileFormat("IM", (".im",), None, "Pillow"),
    "pcd": FileFormat("PCD", (".pcd",), None, "Pillow"),
    "pixar": FileFormat("PIXAR", (".pxr",), _starts(rb"\x80\xe8\0\0"), "Pillow"),
    "qoi": FileFormat("QOI", (".qoi",), _starts(rb"qoif"), "Pillow"),
    "pcx": FileFormat("PCX", (".pcx",), _starts(rb"\x0a[\x00\x02\x03\x05]\x01"), "Pillow"),
    "sgi": FileFormat("SGI", (".sgi", ".rgb", ".rgba", ".bw"), _starts(rb"\x01\xda"), "Pillow"),
    "sun": FileFormat("SUN", (".ras",), _starts(rb"\x59\xa6\x6a\x95"), "Pillow"),
    "msp": FileFormat("MSP", (".msp",), _starts(rb"DanM|LinS"), "Pillow"),
    "xbm": FileFormat("XBM", (".xbm",), _starts(rb"\s*#define[ \t]"), "Pillow"),
    "xpm": FileFormat("XPM", (".xpm",), _starts(rb"/\* XPM \*/"), "Pillow"),
    "dcx": FileFormat("DCX", (".dcx",), _starts(rb"\xb1\x68\xde\x3a"), "Pillow"),
    "imt": FileFormat("IMT", (".imt",), None, "Pillow"),
    "mcidas": FileFormat("MCIDAS", (), _starts(rb"\0\0\0\0\0\0\0\x04"), "Pillow"),
    "xvthumb": FileFormat("XVThumb", (), _starts(rb"P7 332"), "Pillow"),
    "pfm": FileFormat("PFM", (".pfm",), _starts(rb"P[Ff]\s"), "NumPy"),
    "ftex": FileFormat("FTEX", (".ftc", ".ftu"), _starts(rb"FTEX"), "Pillow"),
    "spider": FileFormat("SPIDER", (".spi", ".spider"), _starts(_SPIDER), "Pillow"),
    "jxl": FileFormat(
        "JPEG XL", (".jxl",), _starts(rb"\xff\x0a|\0\0\0\x0cJXL "), "pillow-jxl-plugin", "jxl"
    ),
    "heic": FileFormat("HEIC", (".heic", ".heif"), _starts(_HEIC), "pillow-heif", "heif"),
    "raw": FileFormat(
        "RAW", (".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"), None, "rawpy", "raw"
    ),
}  # fmt: skip
VIDEO = _starts(
    rb"\x1a\x45\xdf\xa3|.{4}(ftyp|moov|mdat|wide|free)|RIFF.{4}AVI |\0\0\x01[\xba\xb3]|(.{4})?G.{187}(.{4})?G"
    rb"|OggS|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11"
)
"""How videos begin: Matroska and WebM, MP4 and QuickTime, AVI, MPEG, its streams, Ogg, FLV, WMV.

FFmpeg, which knows playlists too, sees nothing else of the service's uploads.
"""
_RAW = _starts(
    rb"II\*\0.{4}CR|.{4}ftypcrx |FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0"
    rb"|II\*\0\x08\0{3}.{2}\xfe\0\x04\0\x01\0{3}\x01\0{3}(.{12}){0,40}\x4a\x01[\x04\x0d]\0"
    rb"|MM\0\*\0{3}\x08.{2}\0\xfe\0\x04\0{3}\x01\0{3}\x01(.{12}){0,40}\x01\x4a\0[\x04\x0d]"
)
"""How raw files of cameras begin, for those that come without a name: CR2, CR3, RAF, ORF, RW2; and DNG, NEF and ARW.

The last three are TIFF with a thumbnail (NewSubfileType 1) before the directories of the rest (SubIFDs); as TIFF, the
thumbnail would be enlarged.
"""
HEAD = 512
"""Bytes by which a file is known."""
FORMATS = tuple(name for name, file_format in FILE_FORMATS.items() if file_format.save)
"""The formats that can be written."""
PHOTOS = frozenset(suffix for file_format in FILE_FORMATS.values() for suffix in file_format.suffixes)
"""The endings of images that are pixels and nothing else."""
SUFFIXES = PHOTOS | kinds.ENDINGS.keys()
"""The endings of files that can be enlarged, some with an extra."""
_MODULES = {"jxl": "pillow_jxl", "heif": "pillow_heif", "raw": "rawpy"}
MISSING_EXTRAS = {
    suffix: file_format.extra
    for file_format in FILE_FORMATS.values()
    for suffix in file_format.suffixes
    if file_format.extra and not importlib.util.find_spec(_MODULES[file_format.extra])
} | kinds.MISSING
"""The endings of those whose decoder is not installed, and the extra that brings it."""
READABLE = SUFFIXES - MISSING_EXTRAS.keys()
"""The endings of files that can be read here and now."""


def format_of(path: str | Path | BinaryIO, format: str | None = None) -> str:
    """The name in FORMATS that `format` or else the path's ending means; png for "-" and streams.

    Raises UnwritableImage that lists the formats.
    """
    if format:
        ending = f".{format.lower().lstrip('.')}"
    elif isinstance(path, str | Path) and str(path) != "-":
        ending = Path(path).suffix.lower()
    else:
        ending = ".png"
    if name := _written(ending):
        return name
    why = f"unknown format {ending!r}" if ending else "its name has no ending"
    raise UnwritableImage(target_name(path), f"{why}; choose one of {', '.join(FORMATS)}")


@cache
def suffix_of_result(suffix: str) -> str:
    """The ending of a result that nothing is said of: its source's, or .png, .tif of floats, where that is not written.

    GIF is not: it cannot hold all colours.
    """
    if kind := kinds.ENDINGS.get(suffix.lower()):
        return kind.result or suffix
    own = (FILE_FORMATS[name] for name in FORMATS)
    if any(suffix.lower() in kind.suffixes and not kind.palette for kind in own):
        return suffix
    return ".tif" if suffix.lower() in _OF_FLOATS else ".png"


def _written(ending: str) -> str | None:
    """The name in FORMATS that an ending means."""
    return next((name for name in FORMATS if ending in FILE_FORMATS[name].suffixes), None)


def format_of_content(head: bytes, name: str | Path) -> FileFormat | None:
    """The format of a file by its first bytes, or its name where the format has no signature; None if unknown."""
    suffix = Path(name).suffix.lower()
    for file_format in FILE_FORMATS.values():
        if file_format.signature is None and suffix in file_format.suffixes:
            return file_format
    if _RAW.match(head):
        return FILE_FORMATS["raw"]
    matching = (f for f in FILE_FORMATS.values() if f.signature and f.signature.match(head))
    return next(matching, None)


def depth_sentence(file_format: FileFormat, metadata: Metadata) -> list[str]:
    """What is not kept of an image's depth in a format, as no or one sentence."""
    names = {32: "floats"}
    stored, asked = _stored_depth(file_format, metadata.depth), metadata.depth
    if stored >= asked:
        return []
    was, becomes = (names.get(depth, f"{depth} bits") for depth in (asked, stored))
    return [f"{file_format.name} stores {becomes} instead of {was}"]


def _stored_depth(file_format: FileFormat, depth: Depth) -> Depth:
    deep_enough: list[Depth] = [d for d in file_format.depths if d >= depth]
    return deep_enough[0] if deep_enough else file_format.depths[-1]


def storable(file_format: FileFormat, metadata: Metadata, gray: bool) -> Metadata:
    """The metadata a format has room for, with colours that it cannot state otherwise in an ICC profile.

    JPEG has 65,533 bytes a block.
    """
    if not file_format.iptc:
        metadata = replace(metadata, iptc=None)
    if file_format.name == "JPEG":
        limits = {"exif": 65527, "xmp": 65504, "iptc": 65493}  # less each block's own prefix
        too_long = [b for b, limit in limits.items() if len(getattr(metadata, b) or b"") > limit]
        metadata = replace(metadata, **dict.fromkeys(too_long))
    metadata = replace(metadata, text=tuple(text for text in metadata.text if _has_room(file_format, text)))
    notes = ("its colours became 256 a frame, transparency all or none",) if file_format.palette else ()
    animation, changes = stored_as(file_format.name, metadata.animation) if metadata.animation else (None, ())
    depth, notes = _stored_depth(file_format, metadata.depth), (*metadata.notes, *notes, *changes)
    metadata = replace(metadata, depth=depth, animation=animation, notes=notes)
    metadata = _with_fitting_profile(_with_stated_colour(metadata, file_format), gray and file_format.gray)
    return metadata if file_format.icc or not metadata.icc else _of_srgb(metadata, metadata.icc)


def _of_srgb(metadata: Metadata, icc: bytes) -> Metadata:
    """For a format without profiles, in which colours become sRGB; those of a profile of no use stay."""
    if converts(icc):
        return replace(metadata, notes=(*metadata.notes, became_srgb("those of a profile")))
    return replace(metadata, icc=None, notes=(*metadata.notes, "its profile, which converts nothing, was left out"))


def _has_room(file_format: FileFormat, text: Text) -> bool:
    is_comment = text.keyword == "Comment" and len(text.value.encode()) <= 65533
    return file_format.name == "PNG" or (file_format.name == "JPEG" and is_comment)


def _with_stated_colour(metadata: Metadata, file_format: FileFormat) -> Metadata:
    """With a profile in place of what a format cannot say."""
    colour = metadata.colour
    coded = Colour(colour.cicp if colour.cicp and colour.cicp[3] else None)
    kept = {"PNG": colour, "AVIF": coded}.get(file_format.name, Colour())
    profile = profiles.profile_of(colour) if colour.cicp or not metadata.icc else None
    if profile is None or kept == colour:
        icc = None if file_format.name == "AVIF" and kept.cicp else metadata.icc  # there it would precede
        return replace(metadata, colour=kept, icc=icc)
    notes = (*metadata.notes, *["its colours became an ICC profile"] * file_format.icc)
    return replace(metadata, colour=Colour(), icc=profile, notes=notes)


def _with_fitting_profile(metadata: Metadata, gray: bool) -> Metadata:
    """With a profile for the kind of samples that are written: gray, or RGB."""
    if metadata.icc is None:
        return metadata
    profile, kind = profiles.fitted(metadata.icc, gray), "gray" if gray else "RGB"
    is_new = profile is not None and profile != metadata.icc
    notes = (*metadata.notes, f"its profile became one for {kind}") if is_new else metadata.notes
    return replace(metadata, icc=profile, notes=notes)


@dataclass(frozen=True)
class Encoding:
    """How an image is written into a file.

    Raises: BadRequest for a quality that does not exist, or that `format` has not.
    """

    format: str | None = None
    """One of FORMATS; None: what the file's ending says."""
    quality: int = 95
    """1 to 100, for JPEG, WebP and AVIF where they are lossy."""
    lossless: bool | None = None
    """WebP and AVIF without loss; None: where the source was; PNG and TIFF always are."""
    compress: bool = False
    """Spend time on a smaller PNG or TIFF."""
    keep_time: bool = False
    """The file's time is that of its source."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise BadRequest(f"quality {self.quality}; expected 1 to 100")
        if self.format:
            self.check_quality(f".{self.format.lower().lstrip('.')}")

    def check_quality(self, ending: str) -> None:
        """Raises: BadRequest for a quality that was asked of files with an ending, such as .png, that have none."""
        name = _written(ending.lower())
        if name and not FILE_FORMATS[name].lossy and self.quality != Encoding.quality:
            raise BadRequest(f"quality {self.quality}: {FILE_FORMATS[name].name} has none; choose jpg, webp or avif")


def target_name(path: str | Path | BinaryIO) -> str | Path:
    """What messages call the place of a result."""
    if not isinstance(path, str | Path):
        return "the stream"
    return "standard output" if str(path) == "-" else path

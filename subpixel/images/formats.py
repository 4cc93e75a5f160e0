"""The formats that can be written, what each has room for, and how a file of it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from subpixel.errors import BadRequest, UnwritableImage
from subpixel.images.metadata import Depth, Metadata


@dataclass(frozen=True)
class FileFormat:
    """A format and its limits."""

    name: str
    save: str  # the operation of libvips
    suffixes: tuple[str, ...]
    depths: tuple[Depth, ...]
    alpha: bool
    max_side: int  # pixels
    iptc: bool
    lossless: bool = True


FILE_FORMATS = {
    "png": FileFormat("PNG", "pngsave", (".png",), (8, 16), True, 2**31 - 1, False),
    "jpg": FileFormat("JPEG", "jpegsave", (".jpg", ".jpeg", ".jpe", ".jfif"), (8,), False, 65500, True, lossless=False),
    "webp": FileFormat("WebP", "webpsave", (".webp",), (8,), True, 16383, False),
    "tif": FileFormat("TIFF", "tiffsave", (".tif", ".tiff"), (8, 16, 32), True, 2**31 - 1, True),
    "avif": FileFormat("AVIF", "heifsave", (".avif",), (8,), True, 16384, False),
}
FORMATS = tuple(FILE_FORMATS)
"""The formats that can be written."""


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
    for name, file_format in FILE_FORMATS.items():
        if ending in file_format.suffixes:
            return name
    why = f"unknown format {ending!r}" if ending else "its name has no ending"
    raise UnwritableImage(target_name(path), f"{why}; choose one of {', '.join(FORMATS)}")


def lost_on_write(format: str, metadata: Metadata) -> str | None:
    """A sentence on what is not kept of an image's depth and metadata in a format, or None if all is."""
    file_format, lost = FILE_FORMATS[format], list[str]()
    if metadata.depth not in file_format.depths:
        names = {8: "8 bits", 16: "16 bits", 32: "floats"}
        lost.append(f"{names[file_format.depths[-1]]} instead of {names[metadata.depth]}")
    kept = storable(file_format, metadata)
    blocks = [b for b in ("icc", "exif", "xmp", "iptc") if getattr(metadata, b) and not getattr(kept, b)]
    lost += [f"no {block.upper()}" for block in blocks]
    sentences = [f"{file_format.name} stores {', '.join(lost)}"] if lost else []
    if metadata.gain_map:
        sentences.append("the HDR gain map is left out")
    return "; ".join(sentences) or None


def storable(file_format: FileFormat, metadata: Metadata) -> Metadata:
    """The metadata a format has room for: JPEG has 65,533 bytes a block, WebP and AVIF no gray profiles."""
    if not file_format.iptc:
        metadata = replace(metadata, iptc=None)
    if file_format.name in ("WebP", "AVIF") and metadata.icc and metadata.icc[16:20] == b"GRAY":
        metadata = replace(metadata, icc=None)
    if file_format.name == "JPEG":
        limits = {"exif": 65527, "xmp": 65504, "iptc": 65493}  # less each block's own prefix
        too_long = [b for b, limit in limits.items() if len(getattr(metadata, b) or b"") > limit]
        metadata = replace(metadata, **dict.fromkeys(too_long))
    return replace(metadata, depth=max(d for d in file_format.depths if d <= max(metadata.depth, 8)))


@dataclass(frozen=True)
class Encoding:
    """How an image is written into a file.

    Raises: BadRequest for a quality that does not exist.
    """

    format: str | None = None
    """One of FORMATS; None: what the file's ending says."""
    quality: int = 95
    """1 to 100, for JPEG, WebP and AVIF where they are lossy."""
    lossless: bool = False
    """WebP and AVIF without loss; PNG and TIFF always are."""
    compress: bool = False
    """Spend time on a smaller PNG or TIFF."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise BadRequest(f"quality {self.quality}; expected 1 to 100")


def target_name(path: str | Path | BinaryIO) -> str | Path:
    """What messages call the place of a result."""
    if not isinstance(path, str | Path):
        return "the stream"
    return "standard output" if str(path) == "-" else path

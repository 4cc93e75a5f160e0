"""What a file says beside its pixels, and the blocks that say it: EXIF turned upright, XMP and IPTC in their wrappings.

An EXIF block is a small TIFF file without pixels (Exif 2.32, section 4.5); here it never has the prefix
``Exif\\0\\0``.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Literal

from subpixel.images import tiff

Depth = Literal[8, 16, 32]
"""Bits of a stored sample; 32 is float."""


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels: blocks (EXIF upright, without its prefix) and dots per inch."""

    icc: bytes | None = field(default=None, repr=False)
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    iptc: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None
    depth: Depth = 8
    gain_map: bool = False
    """Whether the file had a second image that brightens it on HDR displays; it is never written."""


def upright(exif: bytes) -> bytes | None:
    """Set the orientation of an EXIF block to 1 and drop its thumbnail, which shows the image unturned.

    Everything else stays byte for byte. A block that cannot be parsed gives None.
    """
    block = bytearray(exif)
    try:
        file = io.BytesIO(exif)
        layout, pointer = tiff.open_header(file)
        for entry in tiff.entries(file, layout, pointer):
            if entry.tag == tiff.ORIENTATION and entry.kind == 3:
                struct.pack_into(layout.order + "H", block, entry.offset, 1)
        file.seek(pointer)
        first = tiff.unpack(file, layout.word)
        file.seek(first)
        struct.pack_into("<I", block, first + 2 + 12 * tiff.unpack(file, layout.number), 0)  # no second table
    except (ValueError, KeyError, struct.error):
        return None
    return bytes(block)


def resolution(exif: bytes) -> tuple[float, float] | None:
    """The resolution an EXIF block states, (horizontal, vertical) in dots per inch, or None."""
    try:
        file = io.BytesIO(exif)
        tree = tiff.read_tree(file, *tiff.open_header(file), frozenset())
    except (ValueError, KeyError, struct.error):
        return None
    x, y = tiff.number(tree, tiff.X_RESOLUTION), tiff.number(tree, tiff.Y_RESOLUTION)
    inch = 2.54 if tiff.number(tree, tiff.RESOLUTION_UNIT) == 3 else 1.0
    return (x * inch, y * inch) if x and y else None


def png_xmp(xmp: bytes) -> bytes:
    """XMP as a PNG chunk: international text, not compressed (XMP specification part 3, section 1.1.5)."""
    body = b"iTXtXML:com.adobe.xmp" + bytes(5) + xmp
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = 0x0404


def iptc_from_jpeg(segment: bytes) -> bytes | None:
    """The IPTC records in a JPEG's Photoshop segment (APP13), or None; plain records pass unchanged."""
    if not segment.startswith(_PHOTOSHOP):
        return segment
    start = len(_PHOTOSHOP)
    while segment[start : start + 4] == b"8BIM" and start + 12 <= len(segment):
        name_length = 1 + segment[start + 6]
        data = start + 6 + name_length + name_length % 2 + 4
        size = int.from_bytes(segment[data - 4 : data], "big")
        if int.from_bytes(segment[start + 4 : start + 6], "big") == _IPTC_RESOURCE:
            return segment[data : data + size]
        start = data + size + size % 2
    return None


def iptc_to_jpeg(records: bytes) -> bytes:
    """Wrap IPTC records as a JPEG's Photoshop segment (APP13)."""
    header = struct.pack(">4sHHI", b"8BIM", _IPTC_RESOURCE, 0, len(records))
    return _PHOTOSHOP + header + records + b"\0" * (len(records) % 2)

"""What a file says beside its pixels: blocks (EXIF, XMP, IPTC, ICC), text, and how it states its colours."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Literal

Depth = Literal[8, 10, 12, 16, 32]
"""Bits of a stored sample; 10 and 12 are AVIF's, 32 is float."""


@dataclass(frozen=True)
class Text:
    """A named text of a PNG; a JPEG's comment is called Comment."""

    keyword: str
    value: str
    language: str = ""
    translated: str = ""
    """The keyword in that language."""

    @property
    def name(self) -> str:
        """What a note calls it."""
        return "comment" if self.keyword == "Comment" else f"text {self.keyword!r}"


@dataclass(frozen=True)
class Colour:
    """How a file without an ICC profile states its colours; what is None is not said, and sRGB if nothing is."""

    cicp: tuple[int, int, int, int] | None = None
    """Primaries, transfer, matrix, full range (ITU-T H.273): PNG's cICP and AVIF's nclx. In a PNG it precedes ICC."""
    gamma: float | None = None
    """Stored value = light to the power of this: PNG's gAMA."""
    chromaticities: tuple[float, ...] | None = None
    """x and y of white, red, green and blue: PNG's cHRM."""
    intent: int | None = None
    """How colours beyond a display's are shown, 0 to 3, of what says to be sRGB: PNG's sRGB."""


@dataclass(frozen=True)
class Animation:
    """How the frames of an animation follow each other."""

    delays: tuple[int, ...]
    """Milliseconds that each frame is shown."""
    loop: int = 0
    """How often it is played; 0 is for ever."""


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels: blocks (EXIF upright, without its prefix) and dots per inch."""

    icc: bytes | None = field(default=None, repr=False)
    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    iptc: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = None
    depth: Depth = 8
    text: tuple[Text, ...] = field(default=(), repr=False)
    colour: Colour = Colour()
    lossless: bool = False
    """Whether a WebP or AVIF was without loss, as its result then is."""
    animation: Animation | None = None
    sides: tuple[int, int] | None = field(default=None, repr=False, compare=False)
    """Height and width of the image of which the blocks were said: they count in its pixels."""
    left_out: frozenset[str] = frozenset()
    """What its file holds that has no place here, by the names of `contents`."""
    notes: tuple[str, ...] = ()
    """What reading it changed."""


def became_srgb(space: str) -> str:
    """The note of colours that were converted."""
    return f"its colours became sRGB ({space} before)"


_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = 0x0404
STALE_RESOURCES = {0x03ED, 0x0409, 0x040C, 0x0425, 0x0426}
"""Resolution, caption digest, thumbnails, and the number of layers: what is stated elsewhere, or of the old image."""


def photoshop_resources(segment: bytes) -> dict[int, bytes]:
    """The resources in a JPEG's Photoshop segment (APP13) by their number; plain IPTC records count as one."""
    if not segment.startswith(_PHOTOSHOP):
        return {_IPTC_RESOURCE: segment}
    resources, start = dict[int, bytes](), len(_PHOTOSHOP)
    while segment[start : start + 4] == b"8BIM" and start + 12 <= len(segment):
        name_length = 1 + segment[start + 6]
        data = start + 6 + name_length + name_length % 2 + 4
        size = int.from_bytes(segment[data - 4 : data], "big")
        resources[int.from_bytes(segment[start + 4 : start + 6], "big")] = segment[data : data + size]
        start = data + size + size % 2
    return resources


def iptc_from_jpeg(segment: bytes) -> bytes | None:
    """The IPTC records in a JPEG's Photoshop segment (APP13), or None; plain records pass unchanged."""
    return photoshop_resources(segment).get(_IPTC_RESOURCE)


def has_other_resources(segment: bytes) -> bool:
    """Whether a Photoshop segment says more than IPTC, and what no longer holds."""
    return bool(photoshop_resources(segment).keys() - STALE_RESOURCES - {_IPTC_RESOURCE})


def iptc_to_jpeg(records: bytes) -> bytes:
    """Wrap IPTC records as a JPEG's Photoshop segment (APP13)."""
    header = struct.pack(">4sHHI", b"8BIM", _IPTC_RESOURCE, 0, len(records))
    return _PHOTOSHOP + header + records + b"\0" * (len(records) % 2)

"""What images of other programs and times say in their headers, which no decoder tells: BMP, PSD, TGA, SGI and QOI."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO

from subpixel.images.contents import LIMIT, Contents
from subpixel.images.metadata import STALE_RESOURCES, Colour, Text, photoshop_resources

_EMBEDDED, _LINKED, _CALIBRATED = b"DEBM", b"KNIL", bytes(4)
"""How a BMP states its colours (BITMAPV5HEADER, bV5CSType)."""
_ICC, _EXIF, _XMP, _IPTC, _RESOLUTION = 0x040F, 0x0422, 0x0424, 0x0404, 0x03ED
_FOOT = b"TRUEVISION-XFILE.\0"
_WORDS = {"Author": (2, 41), "Source": (379, 41), "Software": (426, 41)}
"""Where a TGA's extension has them: PNG's keyword, position and length (TGA 2.0, fields 11 to 18)."""


def read_bmp(file: BinaryIO) -> Contents:
    """The colours of a BMP of version 4 or 5: a profile, or primaries and gamma."""
    contents = Contents()
    header = _at(file, 14, 124)
    size, space = int.from_bytes(header[:4], "little"), header[56:60]
    if size >= 124 and space == _EMBEDDED and len(header) == 124:
        start, length = struct.unpack_from("<II", header, 112)
        contents.icc = _at(file, 14 + start, min(length, LIMIT)) or None
    elif size >= 124 and space == _LINKED:
        contents.others.add("a profile in another file")
    elif size >= 108 and space == _CALIBRATED and len(header) >= 108:
        contents.colour = _calibrated(*struct.unpack_from("<12I", header, 60))
    return contents


def _calibrated(*numbers: int) -> Colour:
    """Red, green and blue as X, Y and Z with 30 bits behind the point, and the gamma of each with 16."""
    red, green, blue = (numbers[k : k + 3] for k in (0, 3, 6))
    if not all(sum(ends) for ends in (red, green, blue)) or not 0.01 < numbers[10] / 65536 < 100:
        return Colour()
    white = [sum(values) for values in zip(red, green, blue, strict=True)]
    xy = tuple(value / sum(point) for point in (white, red, green, blue) for value in point[:2])
    return Colour(gamma=65536 / numbers[10], chromaticities=xy)


def read_psd(file: BinaryIO) -> Contents:
    """The resources of a PSD; its pixels are upright, whatever they say."""
    contents = Contents(stated=1)
    place = 30 + int.from_bytes(_at(file, 26, 4), "big")
    data = _at(file, place + 4, min(int.from_bytes(_at(file, place, 4), "big"), LIMIT))
    resources = photoshop_resources(b"Photoshop 3.0\0" + data)
    contents.icc, contents.exif, contents.xmp = (resources.pop(key, None) for key in (_ICC, _EXIF, _XMP))
    contents.iptc, resolution = resources.pop(_IPTC, None), resources.get(_RESOLUTION, b"")
    if len(resolution) == 16:
        x, y = (value / 65536 for value in struct.unpack(">I4xI4x", resolution))
        contents.dpi = (x, y) if x and y else None
    contents.others |= {"Photoshop resources"} if resources.keys() - STALE_RESOURCES else set()
    return contents


def read_tga(file: BinaryIO) -> Contents | None:
    """The extension of a TGA of version 2; None for what has none."""
    end = file.seek(0, 2)
    foot = _at(file, max(0, end - 26), 26)
    extension = _at(file, int.from_bytes(foot[:4], "little"), 495)
    if foot[8:] != _FOOT or len(extension) < 495 or int.from_bytes(extension[:2], "little") < 495:
        return None
    contents = Contents()
    lines = [_word(extension, 43 + 81 * k, 81) for k in range(4)]
    words = {"Comment": "\n".join(lines).strip()} | {name: _word(extension, *at) for name, at in _WORDS.items()}
    contents.text = [Text(name, word) for name, word in words.items() if word]
    contents.others |= {"its date"} if any(extension[367:379]) else set()
    above, below = struct.unpack_from("<HH", extension, 478)
    contents.others |= {"its gamma"} if below and above not in (0, below) else set()
    return contents


def read_sgi(file: BinaryIO) -> Contents:
    """The name that an SGI image has inside."""
    name = _word(_at(file, 24, 80), 0, 80)
    return Contents(text=[Text("Title", name)] if name else [])


def read_qoi(file: BinaryIO) -> Contents:
    """Whether the levels of a QOI are linear light."""
    return Contents(colour=Colour(gamma=1.0) if _at(file, 13, 1) == b"\1" else Colour())


HEADERS: dict[bytes, Callable[[BinaryIO], Contents]] = {
    b"BM": read_bmp, b"8BPS": read_psd, b"\x01\xda": read_sgi, b"qoif": read_qoi,
}  # fmt: skip
"""How files begin, and what reads them."""


def _at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _word(data: bytes, at: int, size: int) -> str:
    return data[at : at + size].split(b"\0")[0].decode("latin-1").strip()

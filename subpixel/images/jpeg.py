"""The segments of a JPEG file (ITU-T T.81, annex B): what they say, and harmless faults in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from subpixel.images import exif
from subpixel.images.contents import Contents
from subpixel.images.metadata import Metadata, Text

_XMP, _EXTENDED = b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0"
_EXIF, _ICC, _JFIF = b"Exif\0\0", b"ICC_PROFILE\0", b"JFIF\0"
_COMMENT, _SCAN, _END, _TABLES, _RESTARTS = 0xFE, 0xDA, 0xD9, 0xDB, 0xDD
_ZIGZAG = sorted(range(64), key=lambda k: (k // 8 + k % 8, k // 8 if (k // 8 + k % 8) % 2 else k % 8))
"""The place of each step of a table, which runs along the diagonals (figure A.6)."""
_BASELINE = {0xC0, 0xC1}
_COPY = 2**20
_MAX_GAP = 2**16
"""Stray bytes before a marker that are passed over."""
_NO_SEGMENTS = {bytes([marker]) for marker in (0, 1, *range(0xD0, 0xD9))}
"""Markers without a length, which have no place before a scan."""
_FURTHER, _GAIN_MAP = "further images", "the HDR gain map"


class Segment(NamedTuple):
    """A segment of a JPEG: the second byte of its marker, and its data without their length."""

    marker: int
    data: bytes
    gap: int  # bytes before the marker that belong to nothing


def segments(file: BinaryIO) -> Iterator[Segment]:
    """The segments up to and including the header of the first scan."""
    file.seek(2)
    gap = 0
    while gap < _MAX_GAP and (byte := file.read(1)):
        is_marker = byte == b"\xff"
        while byte == b"\xff":
            byte = file.read(1)
        if not is_marker or byte in _NO_SEGMENTS:
            gap += 1 + is_marker
            continue
        size = file.read(2) if byte not in (b"", b"\xd9") else b""
        if len(size) < 2:
            return
        length = max(0, int.from_bytes(size, "big") - 2)
        yield Segment(byte[0], file.read(length), gap)
        gap = 0
        if byte[0] == _SCAN:
            return


def read_jpeg(file: BinaryIO) -> Contents:
    """What a JPEG holds beside its pixels."""
    contents, profile = Contents(), dict[int, bytes]()
    for marker, data, _ in segments(file):
        if marker == _TABLES:
            contents.quantisation = contents.quantisation or _quantisation(data)
        elif marker == _RESTARTS:
            contents.restarts = any(data)
        elif marker == _COMMENT:
            contents.text.append(Text("Comment", _decoded(data)))
        elif 0xE0 <= marker <= 0xEF:
            _add_application(contents, profile, marker, data)
    contents.icc = b"".join(profile[k] for k in sorted(profile)) or None
    contents.others |= {behind} if (behind := _behind(file)) else set()
    if b"hdr-gain-map" in (contents.xmp or b"") or _GAIN_MAP in contents.others:
        contents.others = contents.others - {_FURTHER} | {_GAIN_MAP}
    return contents


def _add_application(contents: Contents, profile: dict[int, bytes], marker: int, data: bytes) -> None:
    """What an application segment holds; profile: the parts of an ICC profile by their number."""
    if marker == 0xE0 and data.startswith(_JFIF) and len(data) >= 12:
        unit, x, y = struct.unpack(">BHH", data[7:12])
        contents.dpi = _density(unit, x, y)
        contents.others |= {"the shape of its pixels"} if unit == 0 and x != y else set()
        contents.others |= {"the thumbnail in JFIF"} if len(data) > 14 and all(data[12:14]) else set()
    elif marker == 0xE1 and data.startswith(_EXIF):
        contents.exif = contents.exif or data.removeprefix(_EXIF)
    elif marker == 0xE1 and data.startswith(_XMP):
        contents.xmp = data.removeprefix(_XMP)
    elif marker == 0xE2 and data.startswith(_ICC):
        profile[data[12]] = data[14:]
    elif marker == 0xED and data.startswith(b"Photoshop 3.0\0"):
        contents.add_photoshop(data)
    elif name := _name(marker, data):
        contents.others.add(name)


def _quantisation(data: bytes) -> tuple[int, ...] | None:
    """The first table of a segment, if it is that of luma, row by row (B.2.4.1); its steps have one byte, or two."""
    size = 2 if data[:1] >= b"\x10" else 1
    if len(data) < 1 + 64 * size or data[0] & 15:
        return None
    steps = [0] * 64
    for k, place in enumerate(_ZIGZAG):
        steps[place] = int.from_bytes(data[1 + k * size : 1 + (k + 1) * size], "big")
    return tuple(steps)


def _density(unit: int, x: int, y: int) -> tuple[float, float] | None:
    inch = {1: 1.0, 2: 2.54}.get(unit)
    return (x * inch, y * inch) if inch and x and y else None


def _decoded(data: bytes) -> str:
    data = data.rstrip(b"\0")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _name(marker: int, data: bytes) -> str | None:
    """What a segment of an application is called; None for what says how the pixels are stored."""
    if marker == 0xE0:
        return "the thumbnail in JFIF" if data.startswith(b"JFXX\0") else None
    if marker == 0xEE:  # Adobe's colour transform
        return None
    if data.startswith(_EXTENDED):
        return "extended XMP"
    if data.startswith(b"MPF\0"):
        return None if _is_single(data[4:]) else _FURTHER
    if data.startswith(b"urn:iso:std:iso:ts:21496"):
        return _GAIN_MAP
    if b"c2pa" in data[:100]:
        return "C2PA provenance"
    word = data[:32].split(b"\0")[0].decode("ascii", "replace")
    return f"APP{marker - 0xE0} {word}".rstrip() if word.isprintable() else f"APP{marker - 0xE0}"


def _is_single(mpf: bytes) -> bool:
    """Whether an index of images (CIPA DC-007) lists one image only."""
    for _, entries in exif.tables(mpf):
        return all(len(e.data) <= 16 for e in entries if e.tag == 0xB002)
    return True


def _behind(file: BinaryIO) -> str | None:
    """What follows the end of the image, from the first scan on: a video of a motion photo, other images."""
    tail = b""
    while data := file.read(_COPY):
        at = (tail + data).find(b"\xff\xd9")
        if at >= 0:
            rest = (tail + data)[at + 2 :] + file.read(64)
            return _tail_name(rest.strip(b"\0\xff\r\n")[:64])
        tail = data[-1:]
    return None


def _tail_name(rest: bytes) -> str | None:
    if b"ftyp" in rest[:16]:
        return "the video of a motion photo"
    if not rest:
        return None
    return _FURTHER if rest.startswith(b"\xd8") else "data behind the image"


def repaired(file: BinaryIO) -> bytes | None:
    """The file without harmless faults that its decoder calls damage, or None where there are none.

    Stray bytes before a marker, and a sequential scan whose parameters are not 0, 63, 0, which some cameras write:
    every viewer shows such files.
    """
    parts, faults, baseline = [b"\xff\xd8"], 0, False
    for marker, data, gap in segments(file):
        baseline |= marker in _BASELINE
        is_odd = marker == _SCAN and baseline and data[-3:] != b"\0\x3f\0"
        parts.append(_segment(marker, data[:-3] + b"\0\x3f\0" if is_odd else data))
        faults += is_odd or gap > 0
    return b"".join([*parts, file.read()]) if faults else None


def leading_segments(metadata: Metadata) -> bytes:
    """The start of a file with the segments that the encoder leaves to us: JFIF, EXIF as it is, and comments."""
    x, y = (min(65535, max(1, round(value))) for value in metadata.dpi or (1, 1))
    parts = [b"\xff\xd8", _segment(0xE0, _JFIF + struct.pack(">HBHHBB", 0x0102, bool(metadata.dpi), x, y, 0, 0))]
    parts += [_segment(0xE1, _EXIF + metadata.exif)] if metadata.exif else []
    return b"".join(parts + [_segment(_COMMENT, text.value.encode()[:65533]) for text in metadata.text])


def _segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data

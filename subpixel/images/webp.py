"""The chunks of a WebP file (RFC 9649): what they say, and an EXIF chunk as it is."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from subpixel.images.contents import LIMIT, PARTS, Contents

_EXIF_FLAG, _ALPHA_FLAG = 0x08, 0x10
_PIXELS = (b"VP8 ", b"VP8L", b"ALPH", b"ANMF")


class Chunk(NamedTuple):
    """A chunk of a WebP: its type, its data, and where in the file its type stands."""

    kind: bytes
    data: bytes  # empty for pixels
    start: int
    size: int


def chunks(file: BinaryIO, start: int = 12) -> Iterator[Chunk]:
    """The chunks of a file from a position on; 12: behind its header."""
    file.seek(start)
    for _ in range(PARTS):
        head = file.read(8)
        if len(head) < 8:
            return
        kind, size = struct.unpack("<4sI", head)
        at = file.tell() - 8
        data = b"" if kind in _PIXELS or size > LIMIT else file.read(size)
        yield Chunk(kind, data, at, size)
        file.seek(at + 8 + size + size % 2)


def read_webp(file: BinaryIO) -> Contents:
    """What a WebP holds beside its pixels."""
    contents, frames = Contents(), list[int]()
    for kind, data, start, _ in chunks(file):
        if kind == b"EXIF":
            contents.exif = data.removeprefix(b"Exif\0\0")
        elif kind == b"XMP ":
            contents.xmp = data
        elif kind == b"ICCP":
            contents.icc = data
        elif kind == b"ANMF":
            frames.append(start + 24)  # behind the frame's own header
        elif kind == b"VP8L":
            contents.lossless = True
        elif kind not in (*_PIXELS, b"VP8X", b"ANIM"):
            contents.others.add(f"chunk {kind.decode('latin-1')!r}")
    contents.frames = max(1, len(frames))
    if frames:
        contents.lossless = all(_is_lossless(file, start) for start in frames)
    return contents


def _is_lossless(file: BinaryIO, start: int) -> bool:
    file.seek(start)
    return file.read(4) == b"VP8L"


def add_exif(file: BinaryIO, exif: bytes) -> None:
    """Put an EXIF block into a WebP file, open for reading and writing, whose last chunk it becomes."""
    first = next(chunks(file))
    file.seek(12)
    rest = file.read()
    flags, canvas = _extended(first, rest)
    body = rest[18:] if first.kind == b"VP8X" else rest
    chunk = b"EXIF" + struct.pack("<I", len(exif)) + exif + b"\0" * (len(exif) % 2)
    extended = b"VP8X" + struct.pack("<IB3x", 10, flags | _EXIF_FLAG) + canvas
    size = 4 + len(extended) + len(body) + len(chunk)
    file.seek(0)
    file.write(b"RIFF" + struct.pack("<I", size) + b"WEBP" + extended + body + chunk)


def _extended(first: Chunk, data: bytes) -> tuple[int, bytes]:
    """The flags of the header and the size of the canvas less one, three bytes a side."""
    if first.kind == b"VP8X":
        return data[8], data[12:18]
    if first.kind == b"VP8L":
        bits = int.from_bytes(data[9:13], "little")
        width, height, flags = bits & 0x3FFF, bits >> 14 & 0x3FFF, _ALPHA_FLAG * (bits >> 28 & 1)
    else:
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 14))
        width, height, flags = width - 1, height - 1, 0
    return flags, width.to_bytes(3, "little") + height.to_bytes(3, "little")

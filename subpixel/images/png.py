"""The chunks of a PNG file (PNG, third edition, W3C 2025): what they say, and those that say it."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from subpixel.images.contents import LIMIT, PARTS, TOTAL, Contents
from subpixel.images.metadata import Metadata, Text

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP = "XML:com.adobe.xmp"
# What lies in the pixels, or says how they are stored; iDOT is Apple's index.
_STRUCTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iDOT", b"acTL", b"fcTL", b"fdAT"}


class Chunk(NamedTuple):
    """A chunk of a PNG: its type, its data, and where in the file its length stands."""

    kind: bytes
    data: bytes  # empty for pixels, and for what is too large to be looked at
    start: int


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a PNG file, as far as it goes."""
    file.seek(len(SIGNATURE))
    for _ in range(PARTS):
        head = file.read(8)
        if len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head)
        start = file.tell() - 8
        if kind in (b"IDAT", b"fdAT") or size > LIMIT:
            file.seek(size + 4, 1)
            yield Chunk(kind, b"", start)
        else:
            yield Chunk(kind, file.read(size), start)
            file.seek(4, 1)
        if kind == b"IEND":
            return


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it lies in a file: length, kind, data, CRC."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read_png(file: BinaryIO) -> Contents:
    """What a PNG holds beside its pixels."""
    contents, announced, controlled, room = Contents(), 0, 0, TOTAL
    for kind, data, _ in chunks(file):
        controlled += kind == b"fcTL"
        if text := _text(kind, data, room):
            room -= len(text.value)
            _add_text(contents, text)
        elif kind == b"eXIf" and data:
            contents.exif = data.removeprefix(b"Exif\0\0")
        elif kind == b"iCCP" and data:
            contents.icc = _inflated(data.partition(b"\0")[2][1:])
        elif kind == b"pHYs" and len(data) == 9:
            x, y, unit = struct.unpack(">IIB", data)
            contents.dpi = (x * 0.0254, y * 0.0254) if unit == 1 and x and y else None
            contents.others |= {"the shape of its pixels"} if unit == 0 and x != y else set()
        elif kind == b"acTL" and len(data) == 8:
            announced = int.from_bytes(data[:4], "big")
        elif kind in (b"cICP", b"gAMA", b"cHRM", b"sRGB"):
            _add_colour(contents, kind, data)
        elif kind not in _STRUCTURE:
            contents.others.add(kind.decode("latin-1"))
    contents.frames = controlled if 0 < announced < 2**31 and controlled > 1 else 1
    contents.others |= {"frames that are announced and missing"} if 0 < controlled < announced < 2**31 else set()
    if contents.icc or contents.colour.intent is not None:  # then gAMA and cHRM only approximate
        contents.colour = replace(contents.colour, gamma=None, chromaticities=None)
    return contents


def _add_colour(contents: Contents, kind: bytes, data: bytes) -> None:
    colour = contents.colour
    if kind == b"cICP" and len(data) == 4:
        colour = replace(colour, cicp=(data[0], data[1], data[2], data[3]))
    elif kind == b"gAMA" and len(data) == 4 and any(data):
        colour = replace(colour, gamma=int.from_bytes(data, "big") / 100_000)
    elif kind == b"cHRM" and len(data) == 32:
        colour = replace(colour, chromaticities=tuple(value / 100_000 for value in struct.unpack(">8I", data)))
    elif kind == b"sRGB" and len(data) == 1:
        colour = replace(colour, intent=data[0])
    contents.colour = colour


def _inflated(data: bytes, room: int = LIMIT) -> bytes:
    """Decompressed, up to the limit; nothing where it is damaged."""
    try:
        return zlib.decompressobj().decompress(data, min(room, LIMIT)) if room > 0 else b""
    except zlib.error:
        return b""


def _text(kind: bytes, data: bytes, room: int) -> Text | None:
    """A chunk of text: Latin-1 (tEXt), the same compressed (zTXt), or UTF-8 with a language (iTXt)."""
    if not data:  # it would have a keyword
        return None
    name, _, rest = data.partition(b"\0")
    keyword = name.decode("latin-1")
    if kind == b"tEXt":
        return Text(keyword, rest.decode("latin-1"))
    if kind == b"zTXt":
        return Text(keyword, _inflated(rest[1:], room).decode("latin-1"))
    if kind == b"iTXt":
        language, _, rest_ = rest[2:].partition(b"\0")
        translated, _, value = rest_.partition(b"\0")
        value = _inflated(value, room) if rest[:1] == b"\1" else value
        return Text(keyword, *(part.decode("utf-8", "replace") for part in (value, language, translated)))
    return None


def _add_text(contents: Contents, text: Text) -> None:
    """A text, or the block that ImageMagick's raw profiles and XMP's keyword mean."""
    profile = text.keyword.removeprefix("Raw profile type ")
    if text.keyword == XMP:
        contents.xmp = text.value.encode()
    elif profile == text.keyword:
        contents.text.append(text)
    elif not (data := _raw_profile(text.value)):
        contents.others.add(text.name)
    else:
        is_xmp = profile == "xmp" or data.startswith(b"http://ns.adobe.com/xap/1.0/\0")
        if is_xmp:
            contents.xmp = contents.xmp or data.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
        elif profile in ("exif", "APP1"):
            contents.exif = contents.exif or data.removeprefix(b"Exif\0\0")
        elif profile in ("icc", "icm"):
            contents.icc = contents.icc or data
        elif profile in ("iptc", "8bim"):
            contents.add_photoshop(data if data.startswith(b"\x1c") else b"Photoshop 3.0\0" + data)
        else:
            contents.others.add(text.name)


def _raw_profile(value: str) -> bytes:
    """ImageMagick's way to put a block into text: a name, a length and hexadecimal digits."""
    match = re.fullmatch(r"\s*[^\n]+\n\s*(\d+)\s+([0-9a-fA-F\s]*)", value)
    digits = "".join(match[2].split()) if match else ""
    return bytes.fromhex(digits[: len(digits) // 2 * 2])[: int(match[1])] if match else b""


def metadata_chunks(metadata: Metadata) -> bytes:
    """The chunks that belong before the pixels: colour, EXIF, XMP and text."""
    colour, parts = metadata.colour, list[bytes]()
    if colour.cicp:
        parts.append(chunk(b"cICP", bytes((*colour.cicp[:2], 0, colour.cicp[3]))))
    if colour.chromaticities:
        parts.append(chunk(b"cHRM", struct.pack(">8I", *(round(v * 100_000) for v in colour.chromaticities))))
    if colour.intent is not None:
        parts.append(chunk(b"sRGB", bytes((colour.intent,))))
    if colour.gamma:
        parts.append(chunk(b"gAMA", struct.pack(">I", round(colour.gamma * 100_000))))
    if metadata.exif:
        parts.append(chunk(b"eXIf", metadata.exif))
    if metadata.xmp:
        parts.append(chunk(b"iTXt", XMP.encode() + bytes(5) + metadata.xmp))
    return b"".join(parts + [_text_chunk(text) for text in metadata.text])


def _text_chunk(text: Text) -> bytes:
    keyword = text.keyword.encode("latin-1", "replace") + b"\0"
    try:
        latin = None if text.language or text.translated else text.value.encode("latin-1")
    except UnicodeEncodeError:
        latin = None
    if latin is not None and b"\0" not in latin:
        return chunk(b"tEXt", keyword + latin)
    rest = b"\0".join(part.encode() for part in (text.language, text.translated, text.value))
    return chunk(b"iTXt", keyword + b"\0\0" + rest)


def amend(file: BinaryIO, metadata: Metadata) -> tuple[int, bytes]:
    """Correct the resolution that an encoder wrote, in its place; unknown is said by square pixels without a unit.

    Returns where the file's pixels begin, and what belongs before them where there is more to say, else nothing.
    Raises: ValueError for a file without pixels.
    """
    resolution = (*(round(value / 0.0254) for value in metadata.dpi), 1) if metadata.dpi else (1, 1, 0)
    parts = [SIGNATURE]
    for kind, data, start in chunks(file):
        if kind == b"IDAT":
            more = metadata_chunks(metadata)
            return start, b"".join(parts) + more if more else b""
        is_own = kind == b"pHYs"
        parts.append(chunk(kind, struct.pack(">IIB", *resolution) if is_own else data))
        if is_own:
            behind = file.tell()
            file.seek(start)
            file.write(parts[-1])
            file.seek(behind)
    raise ValueError("a PNG without pixels")

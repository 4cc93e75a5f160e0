"""The boxes of an AVIF or HEIF file (ISO/IEC 14496-12 and 23008-12): what they say, and EXIF as it is."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from subpixel.images.contents import LIMIT, PARTS, Contents
from subpixel.images.metadata import Colour

_SRGB = {(1, 13), (2, 2), (2, 13), (1, 2)}  # primaries and transfer that mean sRGB, or nothing
# Properties that say how the pixels are stored.
_STRUCTURE = {
    b"av1C",
    b"hvcC",
    b"ispe",
    b"pixi",
    b"irot",
    b"imir",
    b"auxC",
    b"a1lx",
    b"a1op",
    b"lsel",
    b"clap",
    b"free",
}
_ALPHA = re.compile(rb"auxiliary:alpha|hevc:2015:auxid:1\0")
"""What an image beside the image is, of what is enlarged with it (ISO/IEC 23008-12, 6.6.2.1)."""
_LIGHT = {b"clli", b"mdcv", b"cclv", b"amve"}


class Box(NamedTuple):
    """A box of an ISO base media file (AVIF, HEIC, JPEG 2000): its type, and where its content lies, in bytes."""

    kind: bytes
    start: int  # of its content
    end: int


class Item(NamedTuple):
    """An item of an ISO base media file, such as its EXIF: its type, and where its bytes lie."""

    kind: bytes
    content_type: bytes
    start: int
    size: int
    base: int  # what the stored position is counted from
    record: int  # where it is stored, as 4 bytes behind which the size stands


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes that lie one behind the other between two positions (ISO/IEC 14496-12)."""
    end = len(data) if end is None else min(end, len(data))
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        size = end - start if size == 0 else size
        if size < head:
            return
        yield Box(kind, start + head, start + size)
        start += size


def top_level(file: BinaryIO) -> Iterator[Box]:
    """The boxes of a file; their content is not read."""
    start = 0
    end = file.seek(0, 2)
    for _ in range(PARTS):
        if start + 8 > end:
            return
        file.seek(start)
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        wide = size == 1 and len(head) == 16
        size = struct.unpack_from(">Q", head, 8)[0] if wide else size or end - start
        if size < 8:
            return
        yield Box(kind, start + (16 if wide else 8), start + size)
        start += size


def _frames(file: BinaryIO) -> int:
    """How many frames the first track has; 1 for a still image."""
    for kind, start, end in top_level(file):
        if kind == b"moov" and end - start <= LIMIT:
            file.seek(start)
            data = file.read(end - start)
            for _, at, _ in inside(data, b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
                return max(1, int.from_bytes(data[at + 8 : at + 12], "big"))
    return 1


def _meta(file: BinaryIO) -> tuple[bytes, int]:
    """The content of the `meta` box behind its version, and where it lies. Raises: ValueError."""
    for kind, start, end in top_level(file):
        if kind == b"meta" and end - start <= LIMIT:
            file.seek(start + 4)
            return file.read(end - start - 4), start + 4
    raise ValueError("no meta box")


def read_boxes(file: BinaryIO) -> Contents:
    """What an AVIF or HEIF says; nothing where its boxes make no sense."""
    contents = Contents(stated=1)
    try:
        contents.frames = _frames(file)
        meta, _ = _meta(file)
        _properties(contents, meta)
        for item in items(meta).values():
            _add_item(contents, item, file)
    except (ValueError, struct.error, IndexError):
        return contents
    return contents


def _properties(contents: Contents, meta: bytes) -> None:
    """What is said of the image itself counts, before what is said of others, such as its alpha or a gain map."""
    own = _own_properties(meta)
    listed = [box for _, start, end in inside(meta, b"iprp", b"ipco") for box in boxes(meta, start, end)]
    for _, (kind, at, stop) in sorted(enumerate(listed, 1), key=lambda numbered: numbered[0] not in own):
        if kind == b"colr":
            _add_colour(contents, meta[at:stop])
        elif kind == b"pixi" and stop - at > 5:
            contents.depth = contents.depth or meta[at + 5]
        elif kind == b"pasp" and meta[at : at + 4] != meta[at + 4 : at + 8]:
            contents.others.add("the shape of its pixels")
        elif kind in _LIGHT:
            contents.others.add("light levels of HDR")
        elif kind == b"auxC" and not _ALPHA.search(meta, at, stop):
            contents.others.add("the HDR gain map" if b"gainmap" in meta[at:stop] else "a map of depth or the like")
        elif kind not in _STRUCTURE | {b"pasp"}:
            contents.others.add(f"property {kind.decode('latin-1')!r}")
    contents.colour = Colour() if contents.icc else contents.colour  # what it says in addition is of the encoding


def _own_properties(meta: bytes) -> set[int]:
    """The numbers of the properties of the primary item."""
    primary = next((_number(meta, at + 4, 4 if meta[at] else 2) for _, at, _ in inside(meta, b"pitm")), 0)
    for _, at, _ in inside(meta, b"iprp", b"ipma"):
        width, wide = 4 if meta[at] else 2, 1 + (meta[at + 3] & 1)
        place = at + 8
        for _ in range(_number(meta, at + 4, 4)):
            item, count = _number(meta, place, width), meta[place + width]
            place += width + 1 + wide * count
            if item == primary:
                places = range(place - wide * count, place, wide)
                return {_number(meta, one, wide) & (0x7F if wide == 1 else 0x7FFF) for one in places}
    return set()


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def inside(data: bytes, *path: bytes) -> Iterator[Box]:
    places = [Box(b"", 0, len(data))]
    for kind in path:
        places = [box for _, start, end in places for box in boxes(data, start, end) if box.kind == kind]
    yield from places


def _add_colour(contents: Contents, data: bytes) -> None:
    if data[:4] in (b"prof", b"rICC"):
        contents.icc = contents.icc or data[4:]
    elif data[:4] == b"nclx" and len(data) >= 11 and contents.colour.cicp is None:
        primaries, transfer, matrix = struct.unpack_from(">HHH", data, 4)
        contents.lossless = matrix == 0
        if (primaries, transfer) not in _SRGB:
            contents.colour = Colour((primaries, transfer, matrix, 1))  # its decoder gives the full range


def _add_item(contents: Contents, item: Item, file: BinaryIO) -> None:
    if item.kind == b"tmap":
        contents.others.add("the HDR gain map")
    if item.size > LIMIT or not (item.kind == b"Exif" or item.content_type == b"application/rdf+xml"):
        return
    file.seek(item.start)
    data = file.read(item.size)
    if item.kind == b"Exif":
        contents.exif = data[4 + int.from_bytes(data[:4], "big") :].removeprefix(b"Exif\0\0")
    else:
        contents.xmp = data


def items(meta: bytes) -> dict[int, Item]:
    """The items of a file by their number. Raises: ValueError, IndexError, struct.error."""
    kinds = dict[int, tuple[bytes, bytes]]()
    for _, start, end in inside(meta, b"iinf"):
        for kind, at, stop in boxes(meta, start + (6 if meta[start] == 0 else 8), end):
            if kind == b"infe" and meta[at] in (2, 3):
                wide = 2 * (meta[at] == 3)
                number = int.from_bytes(meta[at + 4 : at + 6 + wide], "big")
                name = meta[at + 8 + wide : at + 12 + wide]
                kinds[number] = (name, meta[at + 12 + wide : stop].split(b"\0")[1] if name == b"mime" else b"")
    places = dict[int, Item]()
    for _, start, _ in inside(meta, b"iloc"):
        for number, place in _locations(meta, start):
            places[number] = Item(*kinds.get(number, (b"", b"")), *place)
    return places


def _locations(meta: bytes, at: int) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """The number, position, size, base and record of each item with one extent in the file itself."""
    version, sizes = meta[at], meta[at + 4 : at + 6]
    offset, length, base, index = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4, (sizes[1] & 15) * (version > 0)
    wide = 4 if version == 2 else 2
    at += 6

    def take(size: int) -> int:
        nonlocal at
        at += size
        if at > len(meta):
            raise ValueError("the index of items ends early")
        return int.from_bytes(meta[at - size : at], "big")

    for _ in range(take(wide)):
        number = take(wide)
        method = take(2) & 15 if version > 0 else 0
        take(2)
        start, extents = take(base), take(2)
        for _ in range(extents):
            take(index)
            record = at
            place = (start + take(offset), take(length), start, record)
            if extents == 1 and method == 0:
                yield number, place


def set_exif(file: BinaryIO, exif: bytes) -> None:
    """Replace the EXIF of an AVIF file that libheif wrote: the block is appended, and its item points there.

    Raises: ValueError where there is no EXIF to replace.
    """
    meta, start = _meta(file)
    item = next((item for item in items(meta).values() if item.kind == b"Exif"), None)
    if item is None:
        raise ValueError("the encoder wrote no EXIF")
    block = bytes(4) + exif
    end = file.seek(0, 2)
    file.write(struct.pack(">I4s", 8 + len(block), b"mdat") + block)
    file.seek(start + item.record)
    file.write(struct.pack(">II", end + 8 - item.base, len(block)))


def set_colour(file: BinaryIO, cicp: tuple[int, int, int, int]) -> None:
    """State primaries and transfer in an AVIF file that libheif wrote; the matrix stays what it encoded with.

    It states them itself only where the matrix is the identity; otherwise it means BT.601's, with the full range.
    """
    meta, start = _meta(file)
    for _, first, end in inside(meta, b"iprp", b"ipco"):
        for kind, at, _ in boxes(meta, first, end):
            if kind == b"colr" and meta[at : at + 4] == b"nclx":
                file.seek(start + at + 4)
                file.write(struct.pack(">HH", *cicp[:2]))
                return
    _insert_property(file, meta, start, _box(b"colr", b"nclx" + struct.pack(">HHHB", *cicp[:2], 6, 0x80)))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _insert_property(file: BinaryIO, meta: bytes, start: int, new: bytes) -> None:
    """Give the primary item one more property; what lies behind the boxes moves, and the index of items with it."""
    content = bytearray(meta)
    shift = len(new) + 1
    for item in items(meta).values():
        struct.pack_into(">I", content, item.record, item.start + shift - item.base)
    rebuilt = bytearray()
    for kind, at, end in boxes(bytes(content)):
        part = bytes(content[at:end])
        rebuilt += _box(kind, _with_property(part, new) if kind == b"iprp" else part)
    file.seek(start + len(meta))
    rest = file.read()
    file.seek(start - 12)
    file.write(struct.pack(">I4s4x", 12 + len(rebuilt), b"meta") + rebuilt + rest)


def _with_property(iprp: bytes, new: bytes) -> bytes:
    """The properties with one more, which the first item in the list of who has which has too."""
    (_, first, end), (_, links, last) = boxes(iprp)
    number = 1 + sum(1 for _ in boxes(iprp, first, end))
    count = links + 10  # behind version, flags, the number of items and the first one's
    owned = iprp[links:count] + bytes((iprp[count] + 1,)) + bytes((number,)) + iprp[count + 1 : last]
    return _box(b"ipco", iprp[first:end] + new) + _box(b"ipma", owned)

"""The tables of tags that a TIFF file and an EXIF block are made of: read, written, and moved from one to the other.

libvips neither reads nor writes EXIF in TIFF files; it lies in the tables (TIFF 6.0; Exif 2.32, section 4.5).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

Tree = dict[int, "tuple[int, bytes] | Tree"]  # tag -> (type, little-endian data), or a nested table

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
WIDTH, HEIGHT, EXIF_WIDTH, EXIF_HEIGHT = 0x0100, 0x0101, 0xA002, 0xA003
IPTC = 0x83BB
EMPTY = b"II*\0\x08\0\0\0\0\0\0\0\0\0"  # a block with no tags
# Tags of the first table that describe the image rather than the layout of the file: description, maker,
# model, software, date, artist, rating, copyright; Windows' own title, comment, author, keywords, subject.
DESCRIPTIVE = {0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x4746, 0x4749, 0x8298, *range(0x9C9B, 0x9CA0)}

# Bytes of a value by its type (TIFF 6.0, section 2; BigTIFF).
_SIZE = dict(zip((*range(1, 14), 16, 17, 18), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 8, 8, 8), strict=True))
_WORD = _SIZE | {5: 4, 10: 4}  # what a change of byte order swaps: a rational is two words
_INTEGER = {1: "u1", 3: "<u2", 4: "<u4", 5: "<u4", 13: "<u4", 16: "<u8", 18: "<u8"}


class Entry(NamedTuple):
    tag: int
    kind: int
    data: bytes
    offset: int  # of the data in the file


class Layout(NamedTuple):
    order: str  # "<" or ">"
    big: bool  # BigTIFF

    @property
    def word(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def number(self) -> str:
        return self.order + ("Q" if self.big else "H")


def unpack(file: BinaryIO, format: str) -> int:
    return int(struct.unpack(format, file.read(struct.calcsize(format)))[0])


def open_header(file: BinaryIO) -> tuple[Layout, int]:
    """Read a TIFF header: the layout and the position of the pointer to the first table."""
    file.seek(0)
    magic = file.read(4)
    order = {b"II": "<", b"MM": ">"}[magic[:2]]
    layout = Layout(order, {42: False, 43: True}[int(struct.unpack(order + "H", magic[2:])[0])])
    return layout, 8 if layout.big else 4


def entries(file: BinaryIO, layout: Layout, pointer: int) -> Iterator[Entry]:
    """The entries of the table whose position is stored at `pointer`."""
    file.seek(pointer)
    file.seek(unpack(file, layout.word))
    slot = struct.calcsize(layout.word)
    for _ in range(unpack(file, layout.number)):
        tag, kind, count = struct.unpack(layout.order + "HH" + layout.word[1], file.read(4 + slot))
        after, size = file.tell() + slot, _SIZE.get(kind, 1) * count
        if size > slot:
            file.seek(unpack(file, layout.word))
        offset = file.tell()
        data = file.read(size)
        if len(data) < size:
            raise ValueError("a tag points outside the block")
        yield Entry(tag, kind, data, offset)
        file.seek(after)


def _little_endian(entry: Entry, layout: Layout) -> bytes:
    word = _WORD.get(entry.kind, 1)
    if layout.order == "<" or word == 1:
        return entry.data
    return np.frombuffer(entry.data, f">u{word}").astype(f"<u{word}").tobytes()


def read_tree(file: BinaryIO, layout: Layout, pointer: int, nested: frozenset[int]) -> Tree:
    tree: Tree = {}
    for entry in list(entries(file, layout, pointer)):
        if entry.tag in nested:  # a table nests at most once in itself, so that a loop ends
            tree[entry.tag] = read_tree(file, layout, entry.offset, nested - {entry.tag})
        else:
            tree[entry.tag] = (entry.kind, _little_endian(entry, layout))
    return tree


def dump(tree: Tree, start: int, big: bool) -> bytes:
    """Write a table and all it holds, little-endian, to lie at byte `start` of a file."""
    layout = Layout("<", big)
    slot = struct.calcsize(layout.word)
    heap_at = start + struct.calcsize(layout.number) + len(tree) * (4 + 2 * slot) + slot
    table, heap = [struct.pack(layout.number, len(tree))], bytearray()
    for tag, value in sorted(tree.items()):
        heap += b"\0" * (-(heap_at + len(heap)) % 8)
        position = heap_at + len(heap)
        if isinstance(value, dict):
            kind, data = (16 if big else 4), struct.pack(layout.word, position)
            heap += dump(value, position, big)
        else:
            kind, data = value
        table.append(struct.pack("<HH" + layout.word[1], tag, kind, len(data) // _SIZE.get(kind, 1)))
        if len(data) > slot:
            heap += data
            data = struct.pack(layout.word, position)
        table.append(data.ljust(slot, b"\0"))
    return b"".join(table) + b"\0" * slot + bytes(heap)


def number(tree: Tree, tag: int) -> float | None:
    value = tree.get(tag)
    if not isinstance(value, tuple) or value[0] not in _INTEGER:
        return None
    values = np.frombuffer(value[1], _INTEGER[value[0]])
    if value[0] == 5:
        return float(values[0]) / float(values[1]) if values.size >= 2 and values[1] else None
    return float(values[0]) if values.size else None


def from_tiff(file: BinaryIO) -> bytes | None:
    """What a TIFF says in EXIF's tags (maker, date, exposure, position ...) as an EXIF block, or None."""
    try:
        tree = read_tree(file, *open_header(file), frozenset({EXIF, GPS, INTEROP}))
    except (ValueError, KeyError, struct.error):
        return None
    kept: Tree = {tag: value for tag, value in tree.items() if tag in DESCRIPTIVE | {EXIF, GPS}}
    return b"II*\0\x08\0\0\0" + dump(kept, 8, big=False) if kept else None


def into_tiff(file: BinaryIO, exif: bytes | None, iptc: bytes | None) -> None:
    """Add an EXIF block and IPTC records to a little-endian TIFF or BigTIFF, open for reading and writing.

    A new first table is appended to the file, with what the old one says and the added tags; the pixels stay
    where they are. Camera makers' private notes move, which those with absolute positions do not survive.
    """
    layout, pointer = open_header(file)
    tree = read_tree(file, layout, pointer, frozenset())
    if iptc is not None:
        tree[IPTC] = (7, iptc)
    block = io.BytesIO(exif or EMPTY)
    added = read_tree(block, *open_header(block), frozenset({EXIF, GPS, INTEROP}))
    table = added.get(EXIF)
    if isinstance(table, dict):
        table.update({t: tree[s] for t, s in ((EXIF_WIDTH, WIDTH), (EXIF_HEIGHT, HEIGHT)) if t in table})
    tree.update({tag: value for tag, value in added.items() if tag in DESCRIPTIVE | {EXIF, GPS}})
    end = file.seek(0, io.SEEK_END)
    start = end + -end % 8
    file.write(b"\0" * (start - end) + dump(tree, start, layout.big))
    file.seek(pointer)
    file.write(struct.pack(layout.word, start))


def _short(*values: int) -> tuple[int, bytes]:
    return 3, struct.pack(f"<{len(values)}H", *values)


def _long(value: int) -> tuple[int, bytes]:
    return 4, struct.pack("<I", value)


def raw_tiff(shape: tuple[int, int, int], levels: np.dtype[Any]) -> tuple[bytes, bytes]:
    """What stands before and after the bare rows of an image (H, W, 1 to 4) to make them a BigTIFF."""
    height, width, samples = shape
    row, strip = width * samples * levels.itemsize, 16  # bytes a row, rows a strip
    end = 16 + height * row
    lengths = np.full(-(-height // strip), strip * row, "<u8")
    lengths[-1] = (height - (len(lengths) - 1) * strip) * row
    offsets = 16 + np.arange(len(lengths), dtype="<u8") * np.uint64(strip * row)
    tree: Tree = {
        WIDTH: _long(width),
        HEIGHT: _long(height),
        0x0102: _short(*[levels.itemsize * 8] * samples),
        0x0103: _short(1),  # no compression
        0x0106: _short(2 if samples > 2 else 1),  # RGB or gray
        0x0111: (16, offsets.tobytes()),
        0x0115: _short(samples),
        0x0116: _long(strip),
        0x0117: (16, lengths.tobytes()),
        0x011C: _short(1),  # samples interleaved
        0x0153: _short(*[3 if levels.kind == "f" else 1] * samples),
    }
    if samples in (2, 4):
        tree[0x0152] = _short(2)  # unassociated alpha
    start = end + -end % 8
    return struct.pack("<2s3HQ", b"II", 43, 8, 0, start), b"\0" * (start - end) + dump(tree, start, big=True)

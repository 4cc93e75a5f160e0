"""The tables of tags that a TIFF file and an EXIF block are made of: read, written, and moved from one to the other.

libvips neither reads nor writes EXIF in TIFF files; it lies in the tables (TIFF 6.0; Exif 2.32, section 4.5).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, NamedTuple

import numpy as np

Tree = dict[int, "tuple[int, bytes] | Tree"]  # tag -> (type, little-endian data), or a nested table

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
EXIF, GPS, INTEROP = 0x8769, 0x8825, 0xA005
NESTED = frozenset({EXIF, GPS, INTEROP})
SUBFILES = 0x014A
WIDTH, HEIGHT, EXIF_WIDTH, EXIF_HEIGHT = 0x0100, 0x0101, 0xA002, 0xA003
SUBFILE, EXTRA_SAMPLES, PHOTOMETRIC = 0x00FE, 0x0152, 0x0106
XMP, IPTC, PHOTOSHOP, ICC = 0x02BC, 0x83BB, 0x8649, 0x8773
# GeoTIFF 1.1, GDAL's two, and rational polynomials.
GEO = {0x830E, 0x8480, 0x8482, 0x85D8, 0x87AF, 0x87B0, 0x87B1, 0xA480, 0xA481, 0xC69C}
TRANSFORM = frozenset({0x830E, 0x85D8})  # those of GEO that state one
# The files beside a TIFF file that say where it lies and what its numbers mean: what stands in place of its ending,
# and what is added to its name.
IN_PLACE = tuple(
    form
    for ending in (".tfw", ".tifw", ".tiffw", ".wld", ".tab", ".rpb", "_rpc.txt")
    for form in (ending, ending.upper())
)
ADDED = (".aux.xml", ".ovr", ".msk")
EMPTY = b"II*\0\x08\0\0\0\0\0\0\0\0\0"  # a block with no tags
# Tags that say how the pixels lie in the file (TIFF 6.0 and its supplements), not what the image is.
STRUCTURE = {
    *range(0x00FE, 0x010D), *range(0x0111, 0x0113), *range(0x0115, 0x011D), *range(0x0120, 0x012D),
    0x013D, *range(0x0140, 0x015C), 0x0190, 0x0191, *range(0x0200, 0x0220), 0x8474, 0x828D, 0x828E, 0xC5F2,
}  # fmt: skip
# Those whose content the writer of a file states itself.
BLOCKS = {X_RESOLUTION, Y_RESOLUTION, XMP, IPTC, PHOTOSHOP, ICC}
# Tags above TIFF's own that describe the image in any file: copyright; Windows' title, comment, author, keywords,
# subject; print image matching.
DESCRIPTIVE = {0x8298, *range(0x9C9B, 0x9CA0), 0xC4A5}

_ROOM = 2**26
"""Bytes of a table's data, more of which is not read."""
# Bytes of a value by its type (TIFF 6.0, section 2; BigTIFF).
_SIZE = dict(zip((*range(1, 14), 16, 17, 18), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 8, 8, 8), strict=True))
_WORD = _SIZE | {5: 4, 10: 4}  # what a change of byte order swaps: a rational is two words
_INTEGER = {1: "u1", 3: "<u2", 4: "<u4", 5: "<u4", 13: "<u4", 16: "<u8", 18: "<u8"}


class Entry(NamedTuple):
    """An entry of a table: its tag, the TIFF type of its values (1 byte, 2 text, 3 short ...), and their bytes."""

    tag: int
    kind: int
    data: bytes
    offset: int  # of the data in the file
    record: int  # of the entry itself


class Layout(NamedTuple):
    """How a TIFF file or an EXIF block stores numbers."""

    order: str  # "<" or ">"
    big: bool  # BigTIFF
    end: int = 0  # bytes in the file

    @property
    def word(self) -> str:
        """The format, for `struct`, of a position in the file."""
        return self.order + ("Q" if self.big else "I")

    @property
    def number(self) -> str:
        """The format, for `struct`, of how many entries a table has."""
        return self.order + ("Q" if self.big else "H")

    @property
    def pointer(self) -> int:
        """Where the position of the first table is stored."""
        return 8 if self.big else 4


def unpack(file: BinaryIO, format: str, position: int) -> int:
    """The number at a position. Raises: ValueError where the file ends before it."""
    size = struct.calcsize(format)
    return int(struct.unpack(format, _read(file, position, size))[0])


def _read(file: BinaryIO, position: int, size: int) -> bytes:
    try:
        file.seek(position)
        data = file.read(size)
    except (OSError, OverflowError):  # positions beyond what a file can have
        data = b""
    if len(data) < size:
        raise ValueError("a tag points outside the file")
    return data


def open_header(file: BinaryIO) -> tuple[Layout, int]:
    """Read a TIFF header: the layout and the position of the first table. Raises: ValueError."""
    end = file.seek(0, io.SEEK_END)
    magic = _read(file, 0, 4)
    order = {b"II": "<", b"MM": ">"}.get(magic[:2])
    big = order and {42: False, 43: True}.get(int(struct.unpack(order + "H", magic[2:])[0]))
    if order is None or big is None:
        raise ValueError("not a TIFF header")
    layout = Layout(order, bool(big), end)
    return layout, unpack(file, layout.word, layout.pointer)


def entries(file: BinaryIO, layout: Layout, table: int, only: frozenset[int] | None = None) -> Iterator[Entry]:
    """The entries of a table, without those of an unknown type or that point outside the file.

    All data together is no more than the file, so that entries that share their bytes cost no memory.
    only: the tags that are of interest; None: all.
    """
    slot, room = struct.calcsize(layout.word), min(layout.end, _ROOM)
    at = table + struct.calcsize(layout.number)
    with suppress(ValueError):
        for _ in range(min(unpack(file, layout.number, table), 0xFFFF)):
            head = _read(file, at, 4 + slot)
            tag, kind, count = struct.unpack(layout.order + "HH" + layout.word[1], head)
            size, offset = _SIZE.get(kind, 0) * count, at + 4 + slot
            with suppress(ValueError):
                offset = offset if size <= slot else unpack(file, layout.word, offset)
                if kind in _SIZE and (only is None or tag in only) and size <= min(room, layout.end - offset):
                    room -= size
                    yield Entry(tag, kind, _read(file, offset, size), offset, at)
            at += 4 + 2 * slot


def next_table(file: BinaryIO, layout: Layout, table: int) -> int:
    """The position of the table behind one, 0 where there is none. Raises: ValueError."""
    slot, start = struct.calcsize(layout.word), struct.calcsize(layout.number)
    count = unpack(file, layout.number, table)
    return unpack(file, layout.word, table + start + count * (4 + 2 * slot))


def _little_endian(entry: Entry, layout: Layout) -> bytes:
    word = _WORD.get(entry.kind, 1)
    if layout.order == "<" or word == 1 or entry.tag == IPTC:  # a stream of bytes, whatever its type says
        return entry.data
    return np.frombuffer(entry.data, f">u{word}").astype(f"<u{word}").tobytes()


def read_tree(file: BinaryIO, layout: Layout, table: int, nested: frozenset[int] = NESTED) -> Tree:
    """A table and the tables in it, as far as they can be read."""
    tree: Tree = {}
    for entry in list(entries(file, layout, table)):
        value = _little_endian(entry, layout)
        if entry.tag not in nested:
            tree[entry.tag] = (entry.kind, value)
        elif len(value) in (4, 8):  # a table nests at most once in itself, so that a loop ends
            inner = read_tree(file, layout, int.from_bytes(value, "little"), nested - {entry.tag})
            tree |= {entry.tag: inner} if inner else {}
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
        table.append(struct.pack("<HH" + layout.word[1], tag, kind, len(data) // _SIZE[kind]))
        if len(data) > slot:
            heap += data
            data = struct.pack(layout.word, position)
        table.append(data.ljust(slot, b"\0"))
    return b"".join(table) + b"\0" * slot + bytes(heap)


def number(tree: Tree, tag: int) -> float | None:
    """The first number of an entry; None where there is none."""
    value = tree.get(tag)
    if not isinstance(value, tuple) or value[0] not in _INTEGER:
        return None
    size = len(value[1]) // _SIZE[value[0]] * _SIZE[value[0]]
    values = np.frombuffer(value[1][:size], _INTEGER[value[0]])
    if value[0] == 5:
        return float(values[0]) / float(values[1]) if values.size >= 2 and values[1] else None
    return float(values[0]) if values.size else None


def resolution(tree: Tree) -> tuple[float, float] | None:
    """The resolution a table states, (horizontal, vertical) in dots per inch, or None."""
    x, y, unit = (number(tree, tag) for tag in (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT))
    inch = {3: 2.54, 1: None}.get(int(unit or 2), 1.0)
    return (x * inch, y * inch) if x and y and inch else None


def is_descriptive(tag: int) -> bool:
    """Whether a tag of a TIFF's first table says something of the image that any file with EXIF can say."""
    return tag in DESCRIPTIVE or (tag < 0x8000 and tag not in STRUCTURE | BLOCKS)


def as_exif(tree: Tree) -> bytes | None:
    """What a TIFF's table says in EXIF's tags (maker, date, exposure, position ...) as an EXIF block, or None."""
    kept: Tree = {tag: value for tag, value in tree.items() if is_descriptive(tag) or tag in (EXIF, GPS)}
    return b"II*\0\x08\0\0\0" + dump(kept, 8, big=False) if kept else None


def into_tiff(file: BinaryIO, exif: bytes | None, iptc: bytes | None, *, has_resolution: bool = True) -> None:
    """Add an EXIF block and IPTC records to a little-endian TIFF or BigTIFF, open for reading and writing.

    A new first table is appended to the file, with what the old one says and the added tags; the pixels stay
    where they are. Camera makers' private notes move, which those with absolute positions do not survive.
    """
    layout, table = open_header(file)
    tree = read_tree(file, layout, table, frozenset())
    if iptc is not None:
        tree[IPTC] = (7, iptc)
    if not has_resolution:
        tree = {t: v for t, v in tree.items() if t not in (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)}
    block = io.BytesIO(exif or EMPTY)
    added = read_tree(block, *open_header(block))
    inner = added.get(EXIF)
    if isinstance(inner, dict):
        inner.update({t: tree[s] for t, s in ((EXIF_WIDTH, WIDTH), (EXIF_HEIGHT, HEIGHT)) if t in inner})
    tree.update({tag: value for tag, value in added.items() if tag not in STRUCTURE | BLOCKS})
    end = file.seek(0, io.SEEK_END)
    start = end + -end % 8
    file.write(b"\0" * (start - end) + dump(tree, start, layout.big))
    file.seek(layout.pointer)
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

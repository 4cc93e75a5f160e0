"""EXIF blocks, amended where they lie: what else they hold, camera makers' notes too, stays byte for byte.

A block is a small TIFF file without pixels (Exif 2.32, section 4.5); here it never has the prefix ``Exif\\0\\0``.
What cannot be read of it is left alone.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Collection, Iterator
from fractions import Fraction

from subpixel.images import tiff
from subpixel.images.tiff import Entry, Layout

Resolution = tuple[float, float]
"""Horizontal and vertical, in dots per inch."""
# Heights and widths in the first table, in EXIF's and in that of interoperability (Exif 2.32, table 13).
_SIDES = (tiff.HEIGHT, tiff.EXIF_HEIGHT, 0x1002), (tiff.WIDTH, tiff.EXIF_WIDTH, 0x1001)
_PLACES = (0x9214, 0xA214)  # SubjectArea, SubjectLocation
_FOCAL_X, _FOCAL_Y = 0xA20E, 0xA20F  # pixels a length in the focal plane


def header(block: bytes) -> tuple[io.BytesIO, Layout, int] | None:
    """The block as a file, its layout and the position of its first table; None where it is no EXIF."""
    file = io.BytesIO(block)
    try:
        layout, table = tiff.open_header(file)
        return (file, layout, table) if not layout.big and table + 2 <= layout.end else None
    except ValueError:
        return None


def tables(block: bytes) -> Iterator[tuple[int, list[Entry]]]:
    """The tables of a block with their entries: the first (0), and those that tags of it or of them point to."""
    opened = header(block)
    if opened is None:
        return
    file, layout, first = opened
    waiting, seen = [(0, first)], set[int]()
    while waiting:
        name, table = waiting.pop()
        if table in seen:
            continue
        seen.add(table)
        entries = list(tiff.entries(file, layout, table))
        waiting += [(e.tag, integer(e, layout)) for e in entries if e.tag in tiff.NESTED and e.kind in (4, 13)]
        yield name, entries


def integer(entry: Entry, layout: Layout) -> int:
    """The first number of an entry, 0 where it has none."""
    code = {1: "B", 3: "H", 4: "I", 13: "I"}.get(entry.kind)
    if code is None or len(entry.data) < struct.calcsize(code):
        return 0
    return int(struct.unpack_from(layout.order + code, entry.data)[0])


def orientation(block: bytes) -> int:
    """What the block says of how the image is to be turned, 1 to 8; 0 where it says nothing."""
    opened = header(block)
    if opened is None:
        return 0
    file, layout, first = opened
    values = [integer(e, layout) for e in tiff.entries(file, layout, first) if e.tag == tiff.ORIENTATION]
    return values[0] if values and values[0] in range(1, 9) else 0


def resolution(block: bytes) -> Resolution | None:
    """The resolution an EXIF block states, or None."""
    opened = header(block)
    if opened is None:
        return None
    tree = tiff.read_tree(*opened, frozenset())
    return tiff.resolution(tree)


def upright(block: bytes, sides: tuple[int, int], turn: int) -> bytes | None:
    """Set the orientation to 1 and drop the thumbnail, which shows the image unturned and small.

    sides: height and width of the upright image, in which places in it then lie. turn: the orientation it had, 1 to 8.
    Raises nothing: a block that is no EXIF gives None.
    """
    opened = header(block)
    if opened is None:
        return None
    turned = _with_integers(block, {tiff.ORIENTATION: 1})
    turned = _with_shorts(turned, {tag: lambda place: _turned(place, sides, turn) for tag in _PLACES})
    focal = dict(_rationals(block, (_FOCAL_X, _FOCAL_Y))) if turn > 4 else {}
    if len(focal) == 2 and all(focal.values()):
        ratio = focal[_FOCAL_Y] / focal[_FOCAL_X]
        turned = _with_rationals(turned, {_FOCAL_X: ratio, _FOCAL_Y: 1 / ratio})
    return _without_thumbnail(turned, *opened)


def _turned(place: list[int], sides: tuple[int, int], turn: int) -> list[int]:
    """A point, or an area with its diameter or its width and height, where it lies in the upright image."""
    (x, y), extent = place[:2], place[2:]
    if turn > 4:
        x, y, extent = y, x, extent[::-1]
    x = sides[1] - 1 - x if turn in (2, 3, 6, 7) else x
    y = sides[0] - 1 - y if turn in (3, 4, 7, 8) else y
    return [x, y, *extent]


def has_thumbnail(block: bytes) -> bool:
    """Whether there is a table behind the first (Exif 2.32, section 4.5.4: the thumbnail's)."""
    opened = header(block)
    try:
        return opened is not None and tiff.next_table(*opened) != 0
    except ValueError:
        return False


def _without_thumbnail(block: bytes, file: io.BytesIO, layout: Layout, table: int) -> bytes:
    """Without the table behind the first, and with zeros where the thumbnail was."""
    result = bytearray(block)
    try:
        second = tiff.next_table(file, layout, table)
        after = table + 2 + 12 * tiff.unpack(file, layout.number, table)
    except ValueError:
        return block
    values = {e.tag: integer(e, layout) for e in tiff.entries(file, layout, second)} if second else {}
    start, size = values.get(0x0201, 0), values.get(0x0202, 0)
    if block[start : start + 2] == b"\xff\xd8":
        result[start : start + size] = bytes(len(block[start : start + size]))
    struct.pack_into("<I", result, after, 0)
    return bytes(result)


def amended(block: bytes, sides: tuple[int, int], old: tuple[int, int], dpi: Resolution | None) -> bytes:
    """The block with the size and the resolution of the image it now belongs to.

    sides, old: height and width now, and of the image of which it was said. Sizes are amended where they are stated, as
    are places in pixels and pixels a length of the sensor; a resolution that is not stated is added.
    """
    block = _with_integers(block, {tag: sides[k] for k, tags in enumerate(_SIDES) for tag in tags})
    down, across = Fraction(sides[0], old[0]), Fraction(sides[1], old[1])
    if (down, across) != (1, 1):
        factors = (across, down, (across + down) / 2)
        block = _with_shorts(block, {tag: lambda place: _scaled(place, *factors) for tag in _PLACES})
        block = _with_rationals(block, {_FOCAL_X: across, _FOCAL_Y: down})
    stated = resolution(block)
    if dpi is None or (stated and all(abs(a - b) < 0.01 for a, b in zip(stated, dpi, strict=True))):
        return block
    return _with_resolution(block, dpi)


def _stated(block: bytes, tags: Collection[int], kinds: Collection[int]) -> Iterator[tuple[str, Entry]]:
    """The entries of these tags and kinds, each with the byte order."""
    opened = header(block)
    if opened is None:
        return
    for _, entries in tables(block):
        yield from ((opened[1].order, entry) for entry in entries if entry.tag in tags and entry.kind in kinds)


def _with_integers(block: bytes, values: dict[int, int]) -> bytes:
    """The block with these numbers in the tags that it has, each as one LONG, the orientation as a SHORT."""
    result = bytearray(block)
    for order, entry in _stated(block, values, (3, 4)):
        record = (3, 1, values[entry.tag], 0) if entry.tag == tiff.ORIENTATION else (4, 1, values[entry.tag])
        struct.pack_into(order + ("HIHH" if len(record) == 4 else "HII"), result, entry.record + 2, *record)
    return bytes(result)


def _scaled(place: list[int], across: Fraction, down: Fraction, mean: Fraction) -> list[int]:
    by = (across, down, mean) if len(place) == 3 else (across, down, across, down)
    return [round(value * factor) for value, factor in zip(place, by, strict=False)]


def _with_shorts(block: bytes, changes: dict[int, Callable[[list[int]], list[int]]]) -> bytes:
    """The block with the two to four SHORTs of these tags changed, where the new ones are such numbers too."""
    result = bytearray(block)
    for order, entry in _stated(block, changes, (3,)):
        count = len(entry.data) // 2
        if count in (2, 3, 4):
            code = f"{order}{count}H"
            values = changes[entry.tag](list(struct.unpack(code, entry.data[: 2 * count])))
            if all(0 <= value < 2**16 for value in values):
                struct.pack_into(code, result, entry.offset, *values)
    return bytes(result)


def _rationals(block: bytes, tags: Collection[int]) -> Iterator[tuple[int, Fraction]]:
    """The values of these tags that are one RATIONAL each."""
    for order, entry in _stated(block, tags, (5,)):
        above, below = struct.unpack(order + "II", entry.data) if len(entry.data) == 8 else (0, 0)
        if below:
            yield entry.tag, Fraction(above, below)


def _with_rationals(block: bytes, factors: dict[int, Fraction]) -> bytes:
    """The block with the RATIONALs of these tags multiplied."""
    result, values = bytearray(block), dict(_rationals(block, factors))
    for order, entry in _stated(block, values, (5,)):
        value = (values[entry.tag] * factors[entry.tag]).limit_denominator(10**5)
        if len(entry.data) == 8 and value.numerator < 2**32:
            struct.pack_into(order + "II", result, entry.offset, value.numerator, value.denominator)
    return bytes(result)


def _with_resolution(block: bytes, dpi: Resolution) -> bytes:
    """The block with a new first table at its end, whose entries point to where they pointed, and the resolution."""
    opened = header(block)
    if opened is None:
        return block
    file, layout, table = opened
    records = {e.tag: block[e.record : e.record + 12] for e in tiff.entries(file, layout, table)}
    end = len(block) + len(block) % 2
    order = layout.order
    for k, tag in enumerate((tiff.X_RESOLUTION, tiff.Y_RESOLUTION)):
        records[tag] = struct.pack(order + "HHII", tag, 5, 1, end + 8 * k)
    records[tiff.RESOLUTION_UNIT] = struct.pack(order + "HHIHH", tiff.RESOLUTION_UNIT, 3, 1, 2, 0)
    values = b"".join(struct.pack(order + "II", round(value * 1000), 1000) for value in dpi)
    new = struct.pack(order + "H", len(records)) + b"".join(records[tag] for tag in sorted(records)) + bytes(4)
    first = struct.pack(order + "I", end + 16)
    return block[:4] + first + block[8:].ljust(end - 8, b"\0") + values + new

"""Which container a file is, and what it holds beside its pixels."""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

from subpixel.images import tiff
from subpixel.images.boxes import read_boxes
from subpixel.images.contents import LIMIT, PARTS, Contents
from subpixel.images.headers import HEADERS, read_tga
from subpixel.images.jp2 import read_jp2
from subpixel.images.jpeg import read_jpeg
from subpixel.images.metadata import Text
from subpixel.images.png import SIGNATURE, read_png
from subpixel.images.webp import read_webp

HEADER = 2**12
"""Bytes in which a PNM says what it is."""
_LAYERS = 0x935C
_TILES = 0x0144
_YCBCR, _CIELAB = 6, 8  # PhotometricInterpretation (TIFF 6.0; its supplements; DNG 1.7)
_UNKNOWN = {9: "CIELAB of the ICC", 10: "CIELAB of the ITU", 32803: "a sensor's mosaic", 34892: "a camera's linear RGB"}
# Descriptions by programs that say how the pixels lie: tifffile's, ImageJ's, OME's.
_OF_PIXELS = (b'{"shape":', b"ImageJ=", b"<?xml", b"<OME")


def read_contents(file: BinaryIO) -> Contents:
    """What a file holds beside its pixels; nothing for a container that is not known here."""
    file.seek(0)
    head = file.read(16)
    if head.startswith(b"\xff\xd8"):
        return read_jpeg(file)
    if head.startswith(SIGNATURE):
        return _with_rest(read_png(file), file)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return read_webp(file)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return read_tiff(file)
    if head.startswith(b"GIF8"):
        return _with_rest(read_gif(file), file)
    if head[4:8] == b"ftyp":
        return read_boxes(file)
    if head[4:8] == b"jP  ":
        return read_jp2(file)
    read = next((read for start, read in HEADERS.items() if head.startswith(start)), read_pnm)
    return read_tga(file) or read(file)


def _with_rest(contents: Contents, file: BinaryIO) -> Contents:
    """With what lies behind the end of an image, to which the file has been read."""
    contents.others |= {"data behind the image"} if file.read(64).strip(b"\0\r\n") else set()
    return contents


_COMMENTS = re.compile(rb"P[1-6]\s\s*((?:#[^\n]*\n\s*)+)")


def read_pnm(file: BinaryIO) -> Contents:
    """The comments at the beginning of a PNM; nothing of what is none."""
    file.seek(0)
    match = _COMMENTS.match(file.read(HEADER))
    lines = [line.strip().removeprefix(b"#").strip() for line in match[1].splitlines()] if match else []
    text = b"\n".join(filter(None, lines)).decode("utf-8", "replace")
    return Contents(text=[Text("Comment", text)] if text else [])


def read_gif(file: BinaryIO) -> Contents:
    """What a GIF (version 89a) says: comments, blocks of applications, and how many images it has."""
    contents = Contents(frames=0)
    file.seek(10)
    flags = file.read(3)[:1] or b"\0"
    file.seek(13 + _palette(flags[0]))
    while (kind := file.read(1)) in (b"!", b","):
        if kind == b",":
            contents.frames += 1
            header = file.read(9)
            file.seek(_palette(header[-1] if len(header) == 9 else 0) + 1, 1)
            _gif_data(contents, file, keep=False)
        else:
            _add_extension(contents, file.read(1), file)
    contents.frames = max(1, contents.frames)
    return contents


def _palette(flags: int) -> int:
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _gif_data(contents: Contents, file: BinaryIO, keep: bool = True) -> list[bytes]:
    """The blocks up to the empty one that ends them."""
    parts = list[bytes]()
    while size := file.read(1):
        if size == b"\0":
            return parts
        data = file.read(size[0])
        parts += [data] if keep and len(parts) < PARTS else []
    contents.is_cut = True
    return parts


def _add_extension(contents: Contents, label: bytes, file: BinaryIO) -> None:
    parts = _gif_data(contents, file)
    if label == b"\xfe":
        contents.text.append(Text("Comment", b"".join(parts).decode("utf-8", "replace")))
    elif label == b"\x01":
        contents.others.add("text drawn over the image")
    elif label == b"\xff" and parts and parts[0] not in (b"NETSCAPE2.0", b"ANIMEXTS1.0"):
        name = parts[0][:8].decode("ascii", "replace").strip()
        contents.others.add("XMP" if name == "XMP Data" else f"{name!r} of an application")


def read_tiff(file: BinaryIO) -> Contents:
    """What a TIFF says in the table of the page that is the image: the only one that is not a small copy."""
    contents = Contents()
    try:
        layout, table = tiff.open_header(file)
        pages = _pages(file, layout, table)
    except (ValueError, struct.error):
        return contents
    full = [k for k, (_, reduced) in enumerate(pages) if not reduced]
    contents.frames, contents.page = max(1, len(full)), full[0] if len(full) == 1 else 0
    contents.is_one_page = len(full) == 1
    contents.others |= {"its smaller copies"} if len(pages) > len(full) == 1 else set()
    tree = tiff.read_tree(file, layout, pages[contents.page][0] if pages else table)
    _read_tags(contents, tree)
    return contents


def _pages(file: BinaryIO, layout: tiff.Layout, table: int) -> list[tuple[int, bool]]:
    """The tables of all pages, and whether each is marked as a smaller copy of another."""
    pages = dict[int, bool]()
    subfile, looked_at = frozenset({tiff.SUBFILE}), 0
    while table and table not in pages and looked_at < PARTS:
        looked_at += 1 + tiff.unpack(file, layout.number, table)
        kinds = [entry.data for entry in tiff.entries(file, layout, table, subfile)]
        pages[table] = bool(kinds and int.from_bytes(kinds[0], "little" if layout.order == "<" else "big") & 1)
        table = tiff.next_table(file, layout, table)
    return list(pages.items())


def _read_tags(contents: Contents, tree: tiff.Tree) -> None:
    contents.icc, contents.xmp, contents.iptc = (_data(tree, tag) for tag in (tiff.ICC, tiff.XMP, tiff.IPTC))
    if resources := _data(tree, tiff.PHOTOSHOP):
        contents.add_photoshop(b"Photoshop 3.0\0" + resources)
    contents.dpi = tiff.resolution(tree)
    contents.stated = int(tiff.number(tree, tiff.ORIENTATION) or 0)
    if (_data(tree, 0x010E) or b"").startswith(_OF_PIXELS):
        del tree[0x010E]
        contents.others.add("the description of its pixels")
    contents.exif = tiff.as_exif(tree)
    contents.opaque = tiff.number(tree, tiff.EXTRA_SAMPLES) == 0
    contents.is_rare, contents.is_tiled = contents.page == 0 and _is_rare(tree), _TILES in tree
    contents.unknown_colours = _unknown_colours(tree)
    known = tiff.STRUCTURE | tiff.BLOCKS | tiff.NESTED | tiff.GEO | {_LAYERS}
    contents.others |= {f"EXIF 0:{tag:x}" for tag in tree if tag not in known and not tiff.is_descriptive(tag)}
    contents.others |= {"GeoTIFF tags"} if tiff.GEO & tree.keys() else set()
    contents.others |= {"images within it"} if tiff.SUBFILES in tree else set()
    contents.others |= {"Photoshop layers"} if _LAYERS in tree else set()


def _is_rare(tree: tiff.Tree) -> bool:
    """Old JPEG, LZMA, Zstandard, 12 bits, tiles in planes of 8 bits, CIELAB of 8 bits, Y'CbCr outside of JPEG."""
    compression, planes, bits = (tiff.number(tree, tag) for tag in (0x0103, 0x011C, 0x0102))
    colour = tiff.number(tree, tiff.PHOTOMETRIC)
    rare = compression in (6, 34925, 50000) or bits == 12 or (planes == 2 and bits == 8 and _TILES in tree)
    return rare or (bits == 8 and (colour == _CIELAB or (colour == _YCBCR and compression != 7)))


def _unknown_colours(tree: tiff.Tree) -> str:
    """What a TIFF's numbers are, where that is nothing to make colours of; libvips would take them for RGB or gray."""
    compression, bits, colour = (tiff.number(tree, tag) for tag in (0x0103, 0x0102, tiff.PHOTOMETRIC))
    if colour == _YCBCR and compression != 7 and bits != 8:
        return "Y'CbCr of more than 8 bits"
    return _UNKNOWN.get(int(colour or 0), "")


def _data(tree: tiff.Tree, tag: int) -> bytes | None:
    value = tree.get(tag)
    return value[1] if isinstance(value, tuple) and 0 < len(value[1]) <= LIMIT else None

"""The boxes of a JP2 (ISO/IEC 15444-1, annex I): what they say beside its pixels."""

from __future__ import annotations

from typing import BinaryIO

from subpixel.images.boxes import inside, top_level
from subpixel.images.contents import LIMIT, Contents

_OF_JP2 = {b"jP  ", b"ftyp", b"rreq", b"jp2h", b"jp2c"}
"""What says how the pixels of a JP2 are stored (ISO/IEC 15444-1, annex I)."""
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}
"""How the blocks begin that others have agreed upon: XMP (part 3 of its specification), EXIF, IPTC."""
_GEOJP2 = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")
PLACED = "coordinates on earth"
"""What GeoJP2 and GML in JPEG 2000 are called."""


def read_jp2(file: BinaryIO) -> Contents:
    """What a JP2 says beside its pixels; its resolution is its decoder's to tell."""
    contents = Contents()
    for kind, start, end in top_level(file):
        file.seek(start)
        if kind == b"jp2h" and end - start <= LIMIT:
            data = file.read(end - start)
            profiles = (
                data[at + 3 : stop] for _, at, stop in inside(data, b"colr") if data[at : at + 1] in (b"\2", b"\3")
            )
            contents.icc = next(profiles, None)
            continue
        name = _UUIDS.get(file.read(16)) if kind == b"uuid" and end - start <= LIMIT else None
        if name:
            setattr(contents, name, file.read(end - start - 16).removeprefix(b"Exif\0\0"))
        elif kind in (b"uuid", b"asoc") and end - start <= LIMIT and _is_placed(file, kind, start, end):
            contents.others.add(PLACED)
        elif kind not in _OF_JP2:
            contents.others.add(f"box {kind.decode('latin-1')!r}")
    return contents


def _is_placed(file: BinaryIO, kind: bytes, start: int, end: int) -> bool:
    """Whether a box says where on earth an image lies: GeoJP2, or GML (OGC 05-047r2)."""
    file.seek(start)
    data = file.read(end - start)
    return data.startswith(_GEOJP2) if kind == b"uuid" else b"gml.data" in data

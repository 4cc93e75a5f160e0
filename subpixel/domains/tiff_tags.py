"""What a TIFF file says in tags that the libraries of science do not pass on."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

from subpixel.images import tiff
from subpixel.images.containers import read_contents
from subpixel.images.contents import missing

_KEYS = 0x87AF
"""GeoKeyDirectory: numbers of 16 bits, four a key (GeoTIFF 1.1, section 7.1.2)."""
_EPOCH = 5120
"""The key of when coordinates on moving ground hold."""
_OTHERWISE = {"its smaller copies", "images within it", "GeoTIFF tags", "EXIF"}
"""What is rebuilt, compared elsewhere, or named tag by tag."""


def untold(source: Path, result: Path) -> set[str]:
    """What the tags of a TIFF file say and those of its result do not, as a person would call it; of others nothing."""
    with source.open("rb") as before, result.open("rb") as after:
        names = read_contents(before).names - _OTHERWISE, read_contents(after).names
    lost = set(missing(*names))
    if has_multiplied_alpha(source) and not has_multiplied_alpha(result):
        lost.add("that colours are multiplied by alpha")
    turned = _numbers(source, tiff.ORIENTATION)
    if turned not in ((), (1,), _numbers(result, tiff.ORIENTATION)):
        lost.add("the orientation")
    if _EPOCH in _numbers(source, _KEYS)[4::4] and _EPOCH not in _numbers(result, _KEYS)[4::4]:
        lost.add("the epoch of its coordinates")
    return lost


def has_multiplied_alpha(path: Path) -> bool:
    """Whether a TIFF file says that its colours are multiplied by alpha."""
    return 1 in _numbers(path, tiff.EXTRA_SAMPLES)


def _numbers(path: Path, tag: int) -> tuple[int, ...]:
    """Those of 16 bits of a tag of the first page; none where there are none."""
    with path.open("rb") as file, suppress(ValueError):
        layout, table = tiff.open_header(file)
        for entry in tiff.entries(file, layout, table, frozenset({tag})):
            return struct.unpack(f"{layout.order}{len(entry.data) // 2}H", entry.data) if entry.kind == 3 else ()
    return ()

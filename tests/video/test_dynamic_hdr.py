"""Metadata that change from scene to scene cannot be kept, and are named; they are put into streams bit by bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import Clip, make

from subpixel.video.source import probe
from subpixel.video.upscaling import Started, upscale

_PROVIDER = [(8, 0xB5), (16, 0x3C), (16, 1), (8, 4), (8, 1)]
"""Bits and values of ITU-T T.35: country, provider and its code, HDR10+, version."""
_HDR10_PLUS = [*_PROVIDER, (2, 1), (27, 400), (1, 0), *[(17, 9)] * 3, (17, 5), (4, 0), (10, 0), (1, 0), (1, 0), (1, 0)]
"""Bits and values of SMPTE ST 2094-40: one window, no percentiles, no curve."""
_START = b"\0\0\0\1"


def packed(fields: list[tuple[int, int]]) -> bytes:
    bits = "".join(f"{value:0{width}b}" for width, value in fields)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def escaped(payload: bytes) -> bytes:
    """Without what looks like the beginning of a unit (ITU-T H.265, 7.3.1.1)."""
    made = bytearray()
    for byte in payload:
        if byte <= 3 and made[-2:] == b"\0\0":
            made.append(3)
        made.append(byte)
    return bytes(made)


def hdr10_plus() -> bytes:
    """A prefix SEI with registered user data."""
    payload = packed(_HDR10_PLUS)
    return bytes([39 << 1, 1]) + escaped(bytes([4, len(payload)]) + payload + b"\x80")


def dolby_vision() -> bytes:
    """A unit of the type that holds its reference processing."""
    return bytes([62 << 1, 1]) + escaped(bytes(range(0x19, 0x40)))


def with_units(folder: Path, before: bytes = b"", after: bytes = b"") -> Path:
    """A stream of H.265 whose pictures have a unit before them, or behind."""
    path = make(folder, Clip("plain.h265", "libx265", frames=3, options={"x265-params": "log-level=none"}))
    units = [unit.rstrip(b"\0") for unit in path.read_bytes().split(b"\0\0\1")[1:]]
    made = b""
    for unit in units:
        is_picture = unit[0] >> 1 < 32
        made += _START + before if is_picture and before else b""
        made += _START + unit
        made += _START + after if is_picture and after else b""
    (folder / "told.h265").write_bytes(made)
    return folder / "told.h265"


@pytest.mark.parametrize(
    ("units", "name"),
    [
        ({"before": hdr10_plus()}, "HDR10+ (dynamic metadata)"),
        ({"after": dolby_vision()}, "Dolby Vision (dynamic metadata)"),
    ],
)
def test_dynamic_metadata_are_named_as_dropped(units: dict[str, bytes], name: str, tmp_path: Path) -> None:
    path = with_units(tmp_path, **units)
    assert name in probe(path).dropped
    started = next(iter(upscale(path, tmp_path / "larger.mkv")))
    assert isinstance(started, Started)
    assert f"not kept: {name}" in started.warnings


def test_nothing_is_named_where_nothing_is(tmp_path: Path) -> None:
    assert probe(with_units(tmp_path)).dropped == ()

"""ICC profiles (ICC.1:2022) made from what a file says of its colours in other ways, and fitted to gray or RGB."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from subpixel.images.metadata import Colour

Matrix = NDArray[np.float64]

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65 = (0.3127, 0.3290)
_SRGB = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
# x and y of white, red, green and blue by their number (ITU-T H.273, table 2).
_PRIMARIES = {
    1: _SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_UNSAID = 2


def profile_of(colour: Colour) -> bytes | None:
    """The profile that means the same; None where nothing is said, or by numbers that mean nothing to us."""
    if colour.cicp and not colour.cicp[3]:  # black and white lie within the levels
        return None
    if colour.cicp:
        primaries, transfer = colour.cicp[:2]
        xy = _PRIMARIES.get(1 if primaries == _UNSAID else primaries)
        curve = _transfer(13 if transfer == _UNSAID else transfer)
        return _rgb(xy, curve, colour.cicp) if xy and curve else None
    if not colour.gamma and not colour.chromaticities:
        return None
    xy = colour.chromaticities or _SRGB
    curve = _power(1 / colour.gamma) if colour.gamma else _transfer(13)
    return _rgb(xy, curve, None) if curve and _is_possible(xy) else None


def whole(icc: bytes) -> bytes | None:
    """A profile without what follows it; None for one that is cut or is none (ICC.1, section 7.2)."""
    size = int.from_bytes(icc[:4], "big")
    return icc[:size] if 132 <= size <= len(icc) and icc[36:40] == b"acsp" else None


def fitted(icc: bytes, gray: bool) -> bytes | None:
    """A profile for gray or RGB samples that gives them the lightness which this one means; None without one.

    A profile of three primaries says in its green curve what equal samples mean; gray ones lie on the same axis.
    """
    if (space := icc[16:20]) == (b"GRAY" if gray else b"RGB "):
        return icc
    curve = _tag(icc, b"gTRC" if space == b"RGB " else b"kTRC")
    if space not in (b"RGB ", b"GRAY") or curve is None:
        return None
    if gray:
        return _profile(b"GRAY", {b"wtpt": _xyz(_D50), b"kTRC": curve})
    return _rgb(_SRGB, curve, None)


def _tag(icc: bytes, name: bytes) -> bytes | None:
    count = int.from_bytes(icc[128:132], "big")
    for at in range(132, min(132 + 12 * count, len(icc) - 11), 12):
        tag, start, size = struct.unpack_from(">4sII", icc, at)
        if tag == name and start + size <= len(icc):
            return icc[start : start + size]
    return None


def _transfer(number: int) -> bytes | None:
    """The curve from stored values to light, by its number (ITU-T H.273, table 3)."""
    if number in (1, 6, 14, 15):
        return _parametric(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
    if number == 13:
        return _parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    powers = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
    if number in powers:
        return _power(powers[number])
    return _sampled({16: _pq, 18: _hlg}[number](np.linspace(0, 1, 4096))) if number in (16, 18) else None


def _pq(value: Matrix) -> Matrix:
    """SMPTE ST 2084: light as a part of 10,000 cd/m2."""
    power = value ** (32 / 2523)
    return (np.maximum(power - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * power)) ** (8192 / 1305)


def _hlg(value: Matrix) -> Matrix:
    """ARIB STD-B67: light of the scene as a part of its peak."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)


def _fixed(*values: float) -> bytes:
    """Numbers with 16 bits behind the point."""
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def _power(gamma: float) -> bytes | None:
    return b"para" + bytes(8) + _fixed(gamma) if 0.01 < gamma < 100 else None


def _parametric(*numbers: float) -> bytes:
    """(a X + b)^g from d on, below it c X: numbers are g, a, b, c, d."""
    return b"para" + bytes(4) + b"\0\3\0\0" + _fixed(*numbers)


def _sampled(values: Matrix) -> bytes:
    levels = np.clip(np.round(values * 65535), 0, 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(levels)) + levels.tobytes()


def _xyz(values: Matrix) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(*values)


def _is_possible(xy: tuple[float, ...]) -> bool:
    """Whether the primaries span a space and the white has light."""
    points = np.array(xy).reshape(4, 2)
    area = np.linalg.det(np.column_stack([points[1:], np.ones(3)]))
    return bool(points[:, 1].min() > 0.01 or points[0, 1] > 0.01) and abs(area) > 1e-3 and max(xy) < 2


def _rgb(xy: tuple[float, ...], curve: bytes, cicp: tuple[int, int, int, int] | None) -> bytes:
    """A profile of three primaries and a curve; the white is adapted to D50 after Bradford."""
    white, *primaries = (np.array([x / max(y, 1e-6), 1, (1 - x - y) / max(y, 1e-6)]) for x, y in _pairs(xy))
    columns = np.column_stack(primaries)
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    matrix = adapt @ columns @ np.diag(np.linalg.solve(columns, white))
    tags = {b"wtpt": _xyz(_D50), b"chad": b"sf32" + bytes(4) + _fixed(*adapt.ravel())}
    tags |= {name + b"XYZ": _xyz(column) for name, column in zip((b"r", b"g", b"b"), matrix.T, strict=True)}
    tags |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    if cicp:
        tags[b"cicp"] = b"cicp" + bytes(4) + bytes((*cicp[:2], 0, 1))
    return _profile(b"RGB ", tags)


def _pairs(xy: tuple[float, ...]) -> list[tuple[float, float]]:
    return list(zip(xy[::2], xy[1::2], strict=True))


def _text(text: str) -> bytes:
    body = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(body), 28) + body


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile of version 4 with these tags, equal data stored once."""
    tags = {b"desc": _text("as the file said"), b"cprt": _text("CC0"), **tags}
    places, heap, start = dict[bytes, int](), b"", 132 + 12 * len(tags)
    for data in tags.values():
        if data not in places:
            places[data] = start + len(heap)
            heap += data + bytes(-len(data) % 4)
    table = b"".join(struct.pack(">4sII", name, places[data], len(data)) for name, data in tags.items())
    head = struct.pack(">I4xI4s4s4s12x4s", start + len(heap), 0x04400000, b"mntr", space, b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + _fixed(*_D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + heap

"""FITS headers whose coordinates are those of the result.

Pixels grow smaller about the corner (0.5, 0.5) of FITS's counting, and of a window that begins at X the result is
counted from its corner: CRPIX' = S (CRPIX - 1/2 - X) + 1/2.
Source: Greisen and Calabretta, A&A 395 (2002), papers I and II; Shupe et al., ADASS XIV (2005), for SIP.
"""

from __future__ import annotations

import re
from typing import Any

from subpixel.domains.frames import Grid

Header = Any
"""astropy's, whose values have any type."""
_LETTERS = ("", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_SIZES = {
    "PIXSCALE": 1,
    "SECPIX": 1,
    "SECPIX1": 1,
    "SECPIX2": 0,
    "PIXSCAL1": 1,
    "PIXSCAL2": 0,
    "XPIXSZ": 1,
    "YPIXSZ": 0,
}
"""Sizes of a pixel, each with the axis of `Factors` that it lies on."""
_SECTIONS = ("DATASEC", "TRIMSEC", "BIASSEC")


def scaled_header(header: Header, grid: Grid) -> Header:
    """A copy in which everything that counts in pixels does so in those of the result."""
    scaled, factors = header.copy(), grid.factors
    by = {1: factors[1], 2: factors[0]}
    for letter in _LETTERS:
        _scale_linear(scaled, letter, by, grid)
    for axis, factor in by.items():
        _scale_physical(scaled, axis, factor, grid)
    for key in [key for key in scaled if re.fullmatch(r"[AB]P?_\d_\d", key)]:
        _scale_sip(scaled, key, by)
    for key in {"A_DMAX", "B_DMAX"} & set(scaled):
        scaled[key] *= by[1 if key == "A_DMAX" else 2]
    for key, axis in _SIZES.items():
        if isinstance(scaled.get(key), int | float):
            scaled[key] /= factors[axis]
    for key in {*_SECTIONS} & set(scaled):
        if section := _section(str(scaled[key]), grid):
            scaled[key] = section
        else:
            del scaled[key]
    return scaled


def _scale_linear(header: Header, letter: str, by: dict[int, float], grid: Grid) -> None:
    """CRPIX, and the matrix that is there: CD, else PC with CDELT."""
    cd, pc = _matrix(header, "CD", letter), _matrix(header, "PC", letter)
    if not (cd or pc or any(f"{name}1{letter}" in header for name in ("CRPIX", "CDELT", "CTYPE", "CRVAL"))):
        return
    for axis, factor in by.items():
        header[f"CRPIX{axis}{letter}"] = grid.moved(2 - axis, header.get(f"CRPIX{axis}{letter}", 0.0) - 0.5) + 0.5
        if cd:
            _divide_column(header, cd, axis, factor)
        elif _mixes(header, pc, by):
            header.setdefault(f"PC{axis}_{axis}{letter}", 1.0)
            _divide_column(header, _matrix(header, "PC", letter), axis, factor)
        else:
            header[f"CDELT{axis}{letter}"] = header.get(f"CDELT{axis}{letter}", 1.0) / factor


def _matrix(header: Header, kind: str, letter: str) -> dict[str, tuple[int, int]]:
    """The elements of a matrix that are stated, each with its coordinate and its axis of pixels."""
    matches = (re.fullmatch(rf"{kind}(\d)_(\d){letter}", key) for key in header)
    return {match[0]: (int(match[1]), int(match[2])) for match in matches if match}


def _divide_column(header: Header, matrix: dict[str, tuple[int, int]], axis: int, factor: float) -> None:
    for key, (_, column) in matrix.items():
        if column == axis:
            header[key] /= factor


def _mixes(header: Header, pc: dict[str, tuple[int, int]], by: dict[int, float]) -> bool:
    """Whether PC puts together axes that do not grow alike, so that CDELT cannot carry the factor."""
    return any(by.get(i, 1.0) != by.get(j, 1.0) for key, (i, j) in pc.items() if header[key])


def _scale_physical(header: Header, axis: int, factor: float, grid: Grid) -> None:
    """IRAF's own coordinates: pixel = LTM physical + LTV."""
    stated = {f"LTM{axis}_1", f"LTM{axis}_2"} & set(header)
    for key in stated:
        header[key] *= factor
    if f"LTV{axis}" in header:
        if not stated:
            header[f"LTM{axis}_{axis}"] = factor
        header[f"LTV{axis}"] = grid.moved(2 - axis, header[f"LTV{axis}"] - 0.5) + 0.5


def _scale_sip(header: Header, key: str, by: dict[int, float]) -> None:
    """f(u, v) = sum A_pq u^p v^q, in pixels of its own axis."""
    p, q = (int(part) for part in key.split("_")[1:])
    own = by[1 if key.startswith("A") else 2]
    header[key] *= own / (by[1] ** p * by[2] ** q)


def _section(text: str, grid: Grid) -> str:
    """[x1:x2,y1:y2], both ends counted from 1 and within; empty for one that is not within the window."""
    match = re.fullmatch(r"\s*\[(\d+):(\d+),(\d+):(\d+)\]\s*", text)
    if match is None:
        return text
    x1, x2, y1, y2 = map(int, match.groups())
    starts = [max(0, round(grid.moved(axis, n - 1))) + 1 for axis, n in ((1, x1), (0, y1))]
    stops = [min(side, round(grid.moved(axis, n))) for axis, n, side in ((1, x2, grid.width), (0, y2, grid.height))]
    within = starts[0] <= stops[0] and starts[1] <= stops[1]
    return f"[{starts[0]}:{stops[0]},{starts[1]}:{stops[1]}]" if within else ""

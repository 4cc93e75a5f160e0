"""Flat colour stays flat, where networks are off: by zeros beyond the border, and by colours that photos seldom hold.

In the corner of a blank page the one is up to 30 levels of 255, for networks pad with zeros and see an edge; the other
up to 10, in pure magenta. Padding with the border's own pixels would mend the first alone and cost more: the networks
have learned what zeros at a border mean, and on Set5 swift-x4 loses 0.06 dB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.inference.tiles import Span

Array = NDArray[Any]
Mask = NDArray[np.bool_]
REACH = 12
"""Pixels from the border in which its zeros change a result by more than half a level."""


def keep_flat(patch: Array, row: Span, column: Span, reach: int, target: Array) -> None:
    """Gives a tile's pixels their own colour, where all around them is flat.

    Flat to `reach` pixels away: wholly; to 9 and 7 twelfths of that: by two thirds and one, so that it begins softly.
    patch: the window that the network saw, H W C. reach: no more than the halo. target: what the network made of the
    tile, sH sW C; written to.
    """
    radii, scale = _radii(reach), len(target) // (row.stop - row.start)
    down, across = (
        slice(max(part.start, span.start - span.low), min(part.stop, span.stop - span.low))
        for part, span in zip(_part(patch, radii[0]), (row, column), strict=True)
    )
    if down.start >= down.stop or across.start >= across.stop:
        return
    top, left = max(0, down.start - reach), max(0, across.start - reach)
    own = slice(down.start - top, down.stop - top), slice(across.start - left, across.stop - left)
    flat = [each[own] for each in _flat(patch[top : down.stop + reach, left : across.stop + reach], radii)]
    y, x = (scale * (part.start + span.low - span.start) for part, span in ((down, row), (across, column)))
    height, width = (scale * (part.stop - part.start) for part in (down, across))
    _mix(flat, patch[down, across], target[y : y + height, x : x + width])


def _mix(flat: list[Mask], colours: Array, target: Array) -> None:
    """The colours in place of the target's, by a third, two, and wholly."""
    third, two_thirds, whole = flat
    soft = np.nonzero(third & ~whole)
    share = np.where(two_thirds[soft], np.float32(2 / 3), np.float32(1 / 3))[:, None]
    kept, scale = share * colours[soft], len(target) // len(colours)
    for y, x in np.ndindex(scale, scale):
        part = target[y::scale, x::scale]
        mixed = kept + (1 - share) * part[soft]
        part[soft] = np.rint(mixed) if part.dtype.kind == "u" else mixed
        for channel in range(part.shape[2]):
            np.copyto(part[..., channel], colours[..., channel], where=whole)


def _radii(reach: int) -> list[int]:
    """To how many pixels away all is flat that keeps a third of its colour, two thirds, and the whole."""
    return [-(-reach * part // 12) for part in (7, 9, 12)]


def _part(pixels: Array, radius: int) -> tuple[slice, slice]:
    """Rows and columns outside of which nothing is flat: hardly any of most photos.

    Counted from the first pixel, what is flat holds four blocks of one colour side by side, or fewer at an edge.
    """
    side = (radius + 1) // 2
    ones = np.pad(_of_one_colour(pixels, side), 1, constant_values=True)
    fours = ones[1:, 1:] & ones[1:, :-1] & ones[:-1, 1:] & ones[:-1, :-1]
    places = [np.flatnonzero(fours.any(axis)) * side for axis in (1, 0)]
    around = side + radius
    down, across = (slice(max(0, p[0] - around), p[-1] + around) if len(p) else slice(0, 0) for p in places)
    return down, across


def _of_one_colour(pixels: Array, side: int) -> Mask:
    """Which blocks of side x side pixels are such; what is left over at the far edges is in none."""
    rows, columns = (length // side for length in pixels.shape[:2])
    blocks = pixels[: rows * side, : columns * side].reshape(rows, side, columns, side, pixels.shape[2]).swapaxes(1, 2)
    ones = np.ones((rows, columns), np.bool_)
    for y, x in ((-1, -1), (0, -1), (-1, 0)):
        ones &= (blocks[:, :, y, x] == blocks[:, :, 0, 0]).all(-1)
    inside = blocks[ones]
    ones[ones] = (inside == inside[:, :1, :1]).all((1, 2, 3))
    return ones


def _flat(pixels: Array, radii: list[int]) -> list[Mask]:
    """For each of the growing radii, which pixels see no change as far away, up to the edges."""
    changes, grown, flat = _changes(pixels), 1, list[Mask]()
    for radius in radii:
        changes, grown = _dilated(changes, radius - grown), radius
        flat.append(~changes)
    return flat


def _changes(pixels: Array) -> Mask:
    """Which pixels differ from one beside, above or below them."""
    changes = np.zeros(pixels.shape[:2], np.bool_)
    for plane in np.moveaxis(pixels, 2, 0):
        across, down = plane[:, 1:] != plane[:, :-1], plane[1:] != plane[:-1]
        changes[:, 1:] |= across
        changes[:, :-1] |= across
        changes[1:] |= down
        changes[:-1] |= down
    return changes


def _dilated(mask: Mask, radius: int) -> Mask:
    """True up to `radius` pixels away from what is true, along both axes: a square."""
    for _ in range(2):
        grown = 0
        while grown < radius:
            step = min(2 * grown + 1, radius - grown)
            wider = mask.copy()
            wider[step:] |= mask[:-step]
            wider[:-step] |= mask[step:]
            mask, grown = wider, grown + step
        mask = mask.T
    return mask

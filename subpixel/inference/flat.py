"""Flat colour at an image's border stays flat: networks pad with zeros there, and see an edge where there is none.

The error is up to 30 levels of 255 in the corner of a blank page. Padding with the border's own pixels would mend it
and cost more: the networks have learned what zeros at a border mean, and on Set5 swift-x4 loses 0.06 dB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.inference.tiles import Span

Array = NDArray[Any]
REACH = 12
"""Pixels from the border in which its zeros change a result by more than half a level."""


def keep_flat(patch: Array, row: Span, column: Span, size: tuple[int, int], reach: int, target: Array) -> None:
    """Gives a tile's pixels near the border of the image their own colour, where all around them is flat.

    patch: the window that the network saw, H W C. size: height and width of the image. reach: pixels that count as
    near and as around, no more than the halo. target: what the network made of the tile, sH sW C; written to.
    """
    scale = len(target) // (row.stop - row.start)
    down, across = (slice(span.start - span.low, span.stop - span.low) for span in (row, column))
    for part, own in _strips(row, size[0], reach):
        _keep(patch[part], own, across, reach, target[_moved(part, own, down, scale)])
    for part, own in _strips(column, size[1], reach):
        transposed = target[:, _moved(part, own, across, scale)].swapaxes(0, 1)
        _keep(patch[:, part].swapaxes(0, 1), own, down, reach, transposed)


def _strips(span: Span, length: int, reach: int) -> list[tuple[slice, slice]]:
    """For each border of the image: what decides about a tile's pixels near it, in its window; those, in that part."""
    first = span.start, min(span.stop, reach)
    last = max(span.start, length - reach), span.stop
    parts = [(max(span.low, a - reach), min(span.high, b + reach), a, b) for a, b in (first, last) if a < b]
    return [(slice(p - span.low, q - span.low), slice(a - p, b - p)) for p, q, a, b in parts]


def _moved(part: slice, own: slice, inner: slice, scale: int) -> slice:
    """Where a strip's own pixels lie in the tile's result."""
    first = part.start + own.start - inner.start
    return slice(scale * first, scale * (first + own.stop - own.start))


def _keep(strip: Array, own: slice, inner: slice, reach: int, target: Array) -> None:
    if not _may_be_flat(strip, reach):
        return
    flat = _is_flat(strip, reach)[own, inner]
    if flat.any():
        scale = len(target) // len(flat)
        mask, colours = (x.repeat(scale, 0).repeat(scale, 1) for x in (flat, strip[own, inner]))
        target[mask] = colours[mask]


def _may_be_flat(pixels: Array, reach: int) -> bool:
    """Whether any of the rows that each flat window meets has a run that each has: a fast no for most images."""
    rows = pixels[:: reach + 1]
    changes = (rows[:, 1:] != rows[:, :-1]).any(-1)
    # A window holds `reach` places between pixels, or all that there are: at least one run of half as many is whole.
    runs = max(1, min(reach // 2, changes.shape[1]))
    count = changes.shape[1] // runs
    whole = changes[:, : count * runs].reshape(len(rows), count, runs)
    return count == 0 or not whole.any(-1).all()


def _is_flat(pixels: Array, reach: int) -> NDArray[np.bool_]:
    """Whether all pixels up to `reach` away, as far as there are any, have one colour."""
    across = (pixels[:, 1:] != pixels[:, :-1]).any(-1)
    down = (pixels[1:] != pixels[:-1]).any(-1)
    height, width = pixels.shape[:2]
    return ~(_any_around(across, height, width, reach) | _any_around(down, height, width, reach))


def _any_around(changes: NDArray[np.bool_], height: int, width: int, reach: int) -> NDArray[np.bool_]:
    """For each pixel whether anything changes between the pixels up to `reach` away."""
    total = np.pad(changes.cumsum(0, np.int32).cumsum(1, np.int32), ((1, 0), (1, 0)))
    (top, bottom), (left, right) = (_around(n, len(t), reach) for n, t in ((height, total), (width, total[0])))
    return (total[bottom][:, right] - total[top][:, right] - total[bottom][:, left] + total[top][:, left]) > 0


def _around(length: int, sums: int, reach: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the sums over a window begin and end, for each pixel: between n pixels there are n - 1 changes."""
    places, last = np.arange(length), sums - 1
    return np.maximum(places - reach, 0), np.minimum(places + reach + (last == length), last)

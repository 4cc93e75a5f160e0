"""Where a deep image is nearly a plane it becomes bicubic's: that keeps planes as they are, networks do not.

What a network makes of a ramp depends on where between two pixels it is, by up to 1.5 levels of 255: 8 bits hide that,
16 bits show it as a grid. So its result goes over into bicubic's where the second differences of an image are below a
level of 255: between those and 0 there is nothing in what networks are trained on.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np

from subpixel.images import Floats
from subpixel.inference.tiles import Span
from subpixel.resample import taps

REACH = 8
"""Pixels in which what is rough asks for the network: up to half of them for it alone, then for less and less."""
_SMOOTH, _ROUGH = 0.5 / 255, 1 / 255
"""Second differences up to which an image is as good as a plane, and from which on it is none."""
_SEEN = 2
"""Pixels to each side that bicubic sees."""
_BLOCK = 32, 128  # pixels of the source that are computed at a time, in the cache

Kernel = tuple[int, Floats]
"""Where the pixels begin that make one of the result, counted from the one it lies in; their weights."""


def keep_smooth(
    patch: Floats, row: Span, column: Span, reach: int, limits: tuple[float, float], target: Floats
) -> None:
    """Moves a tile's result to bicubic's where the image is smooth: by the same bits, whatever the tiles are.

    patch: the window that the network saw, H W C. reach: see `REACH`; less than the halo. limits: of the result.
    target: what the network made of the tile, sH sW C; written to.
    """
    share = np.minimum(spread(roughness(patch), reach), 1)
    if share.min() == 1:
        return
    planes = np.ascontiguousarray(patch.transpose(2, 0, 1))
    low = np.pad(planes, ((0, 0), (_SEEN, _SEEN), (_SEEN, _SEEN)), "symmetric")  # as bicubic goes on beyond a border
    share = np.pad(share, _SEEN, "edge")
    down, across = (slice(s.start - s.low, s.stop - s.low + 2 * _SEEN) for s in (row, column))
    low, share, scale = low[:, down, across], share[down, across], len(target) // (row.stop - row.start)
    (height, width), sides = _BLOCK, (row.stop - row.start, column.stop - column.start)
    for y, x in product(range(0, sides[0], height), range(0, sides[1], width)):
        seen = slice(y, y + height + 2 * _SEEN), slice(x, x + width + 2 * _SEEN)
        if share[seen].min() < 1:
            own = slice(scale * y, scale * (y + height)), slice(scale * x, scale * (x + width))
            _mix(low[:, *seen], share[seen], scale, limits, target[own])


def roughness(patch: Floats) -> Floats:
    """How far an image is from a plane at each pixel, from 0 (as good as one) to 2 (none): H W C to H W."""
    height, width = patch.shape[:2]
    around = np.pad(patch, ((1, 1), (1, 1), (0, 0)), "reflect", reflect_type="odd")  # a plane goes on beyond a border
    most, twice = np.zeros_like(patch), 2 * patch
    for y, x in ((0, 1), (1, 0), (0, 0), (0, 2)):
        change = around[y : y + height, x : x + width] + around[2 - y : 2 - y + height, 2 - x : 2 - x + width]
        change -= twice
        np.maximum(most, np.abs(change, out=change), out=most)
    worst = np.maximum.reduce([most[..., k] for k in range(most.shape[2])])
    return np.clip((worst - np.float32(_SMOOTH)) * np.float32(2 / (_ROUGH - _SMOOTH)), 0, 2)


def spread(rough: Floats, reach: int) -> Floats:
    """H W -> H W: the largest of all pixels around, each less 2 / reach for every pixel it is away, down and across."""
    spread, step = rough.copy(), 1
    while step < reach:
        for axis in (spread, spread.T):
            lower = axis - np.float32(2 * step / reach)
            np.maximum(axis[step:], lower[:-step], out=axis[step:])
            np.maximum(axis[:-step], lower[step:], out=axis[:-step])
        step *= 2
    return spread


def _mix(low: Floats, share: Floats, scale: int, limits: tuple[float, float], target: Floats) -> None:
    """The network's share of a block, and bicubic's of the rest. low: C H W; it and the share go `_SEEN` farther."""
    cubic, linear = _kernels(scale, "bicubic"), _kernels(scale, "bilinear")
    for y in range(scale):
        lines, shares = _along(low, 1, cubic[y]), _along(share[None], 1, linear[y])
        for x in range(scale):
            rest = 1 - _along(shares, 2, linear[x])[0]
            plane = np.clip(_along(lines, 2, cubic[x]), *limits)
            for channel, change in enumerate(plane):
                own = target[y::scale, x::scale, channel]
                change -= own
                change *= rest
                own += change


def _along(planes: Floats, axis: int, kernel: Kernel) -> Floats:
    """One pixel of the result for each of the block's, along an axis: term by term, as BLAS rounds by the size."""
    first, weights = kernel
    moved = planes.swapaxes(0, axis)
    count = len(moved) - 2 * _SEEN
    total = weights[0] * moved[_SEEN + first :][:count]
    for k, weight in enumerate(weights[1:], _SEEN + first + 1):
        total += weight * moved[k:][:count]
    return total.swapaxes(0, axis)


@lru_cache
def _kernels(scale: int, name: str) -> list[Kernel]:
    """What makes each of the `scale` pixels that one becomes along an axis."""
    axis = taps(2 * _SEEN + 1, (2 * _SEEN + 1) * scale, name).between(_SEEN * scale, (_SEEN + 1) * scale)
    firsts = axis.indices[:, 0] - _SEEN
    return [(int(first), w.astype(np.float32)) for first, w in zip(firsts, axis.weights, strict=True)]

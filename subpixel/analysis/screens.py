"""What is no natural image: combs of interlaced video, dots of print, specks, slopes, one tile over and over."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import jpeg
from subpixel.analysis.windows import luma
from subpixel.images import Floats

_SIDE = 16  # of the blocks in which a comb is looked for
_BLOCK = 64  # of those in which a screen is
_FEWEST = 9  # blocks with anything in them
_STANDS_OUT, _ON_AXES = 4.0, 8.0
"""Of log power, how far a dot screen is above the median of its ring; along rows and columns windows are up to 7."""
_VISIBLE = 60.0  # levels^2: the least power of a comb's teeth
_LAG, _BENT = 4, 4.0
"""Pixels between the three of which a bend is told; levels^2 that it must have: rounding alone has one in gray."""
_AROUND = tuple((y, x) for y in range(3) for x in range(3) if (y, x) != (1, 1))
_FAR, _SPECKS = 40.0, 3e-4
"""Levels that a speck is beyond all around it; the share of bright ones, and of dark ones, from which they are told:
photos have 1.3e-4 of the rarer ones at most."""
_DISTINCT = 0.1  # of the blocks with anything in them: photos have 0.4 or more even as JPEG of quality 2


def is_interlaced(levels: Floats) -> bool:
    """Whether even and odd rows are of two moments: where something moved, rows two apart are nearer than neighbours.

    Nothing like that may be true of the columns: fabric and dithering have teeth in both directions.
    """
    plane = luma(levels)
    down, across = _combs(plane), _combs(plane.swapaxes(1, 2))
    return down.sum() >= 8 and down.mean() > 0.01 and down.sum() > 10 * across.sum()


def _combs(plane: Floats) -> NDArray[np.bool_]:
    """For each block: whether neighbouring rows differ much more than rows two apart."""
    near, far = _power(plane[:, 1:-1] - plane[:, :-2]), _power(plane[:, 2:] - plane[:, :-2])
    return (near > 1.6 * far) & (near > _VISIBLE)


def _power(difference: Floats) -> Floats:
    rows, columns = difference.shape[1] // _SIDE, difference.shape[2] // _SIDE
    cut = difference[:, : rows * _SIDE, : columns * _SIDE].reshape(len(difference), rows, _SIDE, columns, _SIDE)
    return (cut**2).mean(axis=(2, 4)).ravel()


def is_halftone(levels: Floats) -> bool:
    """Whether one frequency that is neither low nor on the grid of JPEG stands out in most of the blocks, and turned by
    90 degrees as well: dots lie on a square lattice, while lines of text and the zeros of a movement lie one way."""
    plane = luma(levels)
    if min(plane.shape[1:]) < 2 * _BLOCK:
        return False
    views = np.lib.stride_tricks.sliding_window_view(plane, (_BLOCK, _BLOCK), axis=(1, 2))[:, ::_BLOCK, ::_BLOCK]
    blocks = views.reshape(-1, _BLOCK, _BLOCK)
    window = np.hanning(_BLOCK).astype(np.float32)
    spectra = np.abs(np.fft.rfft2((blocks - blocks.mean(axis=(1, 2), keepdims=True)) * np.outer(window, window))) ** 2
    busy = spectra.mean(axis=(1, 2)) > 1
    if busy.sum() < _FEWEST:
        return False
    logs, often = np.log(spectra[busy] + 1), np.zeros(spectra.shape[1:])
    needed = np.full_like(often, _STANDS_OUT)
    needed[0], needed[:, 0] = _ON_AXES, _ON_AXES
    for ring in _rings():
        above = logs[:, ring] - np.median(logs[:, ring], axis=1, keepdims=True)
        often[ring] = (above > needed[ring]).mean(axis=0)
    return bool(np.minimum(often, _turned(often)).max() > 0.6)


def _turned(often: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each frequency, the most that is true of one beside that which lies at a right angle to it."""
    steps = (-1, 0, 1)
    near = np.max([np.roll(often, (y, x), axis=(0, 1)) for y in steps for x in steps], axis=0)
    fy, fx = np.fft.fftfreq(_BLOCK, 1 / _BLOCK).astype(int)[:, None], np.arange(_BLOCK // 2 + 1)
    return near[np.where(fy > 0, -fx, fx), abs(fy)]


@cache
def _rings() -> list[NDArray[np.bool_]]:
    """Frequencies with periods of 2.5 to 10 pixels, ring by ring; on the axes those beside the multiples of 1/8."""
    fy = np.abs(np.fft.fftfreq(_BLOCK, 1 / _BLOCK))[:, None]
    fx = np.arange(_BLOCK // 2 + 1)[None]
    radius = np.hypot(fy, fx)
    off = ((fx > 2) & (fy > 2)) | ((np.minimum(fx, fy) == 0) & (abs((radius + 4) % 8 - 4) > 1))
    return [off & (radius >= low) & (radius < low + 2) for low in range(_BLOCK // 10, int(_BLOCK / 2.5), 2)]


def has_specks(levels: Floats) -> bool:
    """Whether single pixels are far beyond all around them, bright and dark ones: stars, glints and letters are one."""
    plane = luma(levels[::2])  # of a large image every other window is enough
    return min(_specks(plane), _specks(-plane)) > _SPECKS


def _specks(plane: Floats) -> float:
    """The share of pixels that are far brighter than the eight around them, and than these differ."""
    middle = plane[:, 1:-1, 1:-1]
    n, y, x = np.nonzero(middle > np.maximum(plane[:, 1:-1, :-2], plane[:, 1:-1, 2:]) + _FAR)
    near = np.stack([plane[n, y + down, x + right] for down, right in _AROUND])
    highest, lowest = near.max(axis=0), near.min(axis=0)
    return float((middle[n, y, x] > highest + np.maximum(_FAR, 2 * (highest - lowest))).sum() / middle.size)


def is_slope(levels: Floats) -> bool:
    """Whether hardly a block has more in it than a slope, as in gradients: what rounding leaves looks like anything."""
    plane, lag = luma(levels), _LAG
    middle = plane[:, lag:-lag, lag:-lag]
    down = plane[:, 2 * lag :, lag:-lag] + plane[:, : -2 * lag, lag:-lag] - 2 * middle
    across = plane[:, lag:-lag, 2 * lag :] + plane[:, lag:-lag, : -2 * lag] - 2 * middle
    return bool((jpeg.blocks(down**2 + across**2, (0, 0)).mean(axis=1) > _BENT).sum() < _FEWEST)


def repeats(levels: Floats) -> bool:
    """Whether few of its 8x8 blocks are distinct, as in checkers, stripes and ramps: no statistics are to be had."""
    colours = levels @ np.float32(256) ** np.arange(levels.shape[-1], dtype=np.float32)
    blocks = jpeg.blocks(colours, (0, 0))
    busy = blocks[np.ptp(blocks, axis=1) > 0]
    weights = np.random.default_rng(0).normal(size=blocks.shape[1])
    return len(busy) > _FEWEST and len(np.unique(busy @ weights)) < _DISTINCT * len(busy)

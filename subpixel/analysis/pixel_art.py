"""Pixel art: what nothing but copying pixels enlarges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from subpixel.images import Floats

_COLOURS, _SHADES = 256, 64  # of pixel art, at most; of gray pixel art: a photo has 256
_SPRITE = 2**16  # pixels of an image that may be pixel art as it is, not enlarged
_ICON = 40  # pixels along the shorter side of what is no photo, with colours that few
_PLAIN = 0.58  # of the pixels, at least; photos of 16 colours that were dithered have up to 0.57
_LARGEST = 32  # pixels of the screen for one of the art


def is_pixel_art(levels: Floats) -> bool:
    """Few colours whose edges all lie on a lattice of two or more pixels, or a small image of very few."""
    flat = levels.reshape(-1, levels.shape[-1])
    most = _COLOURS if levels.shape[-1] > 1 else _SHADES
    if _colours(flat[:: max(1, len(flat) // 4096)]) > most or _colours(flat) > most:
        return False
    if len(flat) <= _SPRITE and 3 <= _colours(flat) <= min(64, len(flat) // 8) and _hard(levels) and _plain(levels):
        return True
    return all(_lattice(_changes(levels, axis)) for axis in (1, 2))


def _colours(pixels: Floats) -> int:
    packed = pixels.astype(np.int64) @ (256 ** np.arange(pixels.shape[-1]))
    return len(np.unique(packed))


def _plain(levels: Floats) -> bool:
    """Whether it is an icon, or most pixels lie in a line of three alike or a pattern of two: dithering has neither."""
    if min(levels.shape[1:3]) < _ICON:
        return True
    rows = [levels[:, y : levels.shape[1] - 2 + y] for y in range(3)]
    (a, b, c), (d, e, f), (g, h, i) = ([row[:, :, x : row.shape[2] - 2 + x] for x in range(3)] for row in rows)
    line = _alike(d, e, f) | _alike(b, e, h)
    pattern = _alike(a, c, g, i) & _alike(d, f) & _alike(b, h)
    return bool((line | pattern).mean() > _PLAIN)


def _alike(first: Floats, *others: Floats) -> NDArray[np.bool_]:
    return np.logical_and.reduce([(first == other).all(axis=-1) for other in others])


def _changes(levels: Floats, axis: int) -> NDArray[np.int64]:
    """N L: how many pixels differ from the one before, along an axis."""
    return (np.diff(levels, axis=axis) != 0).any(axis=-1).sum(axis=3 - axis)


def _lattice(changes: NDArray[np.int64]) -> int:
    """The most pixels, 2 or more, of which all places with changes are multiples apart; 0 where there are none."""
    seen = changes[changes.sum(axis=1) > 0]
    if not len(seen):
        return 0
    for step in range(_LARGEST, 1, -1):
        folded = np.pad(seen, ((0, 0), (0, -seen.shape[1] % step))).reshape(len(seen), -1, step).sum(axis=1)
        if seen.shape[1] > 4 * step and (folded.max(axis=1) > 0.99 * folded.sum(axis=1)).all():
            return step
    return 0


def _hard(levels: Floats) -> bool:
    """Whether most pixels equal a neighbour and steps between colours are large: no gradients, no soft edges."""
    steps = np.abs(np.diff(levels, axis=2)).max(axis=-1)
    changed = steps[steps > 0]
    return bool(len(changed) and 0.02 < len(changed) / steps.size < 0.6 and np.median(changed) > 24)

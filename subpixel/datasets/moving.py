"""Clips whose truth is exact: a camera moves over photos, and something else moves before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from subpixel.datasets.packed import PackedImages, Pixels
from subpixel.datasets.patches import check_sizes, sample_index
from subpixel.datasets.sample import Arrays, Sample
from subpixel.resample import mirrored, resize

_FINEST, _COARSEST = 0.7, 2.0
"""Pixels of a photo for one of a frame: below 1 it is soft, as most video is."""
_STILL, _PLAIN = 0.1, 0.85
"""Shares of the paths: those that do not move, and those with them that move slowly."""
_BEFORE = 0.4
"""How often something moves before the photo."""
_SOFT, _SOFTEST = 0.5, 1.6
"""How often the lens is soft, and how much at most: a standard deviation in pixels of a frame."""
_STUDIO = 0.5
"""How often black and white are those of video, 16 and 235."""


@dataclass(frozen=True)
class Moving:
    """Photos of luma, and the frames that a camera sees of them."""

    high: PackedImages
    scale: int
    frames: int

    def check(self, patch: int) -> None:
        """Raises: DataError if a photo is smaller than what a frame shows of it."""
        check_sizes(self.high.names, self.high.sizes, least(self.scale, patch))

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> Arrays:
        """Clips as gray images with their frames as channels: uint8, size T patch patch, size T s*patch s*patch."""
        lows, highs = zip(*(self._clip(rng, patch) for _ in range(size)), strict=True)
        return Sample(np.stack(lows), np.stack(highs))

    def _clip(self, rng: np.random.Generator, patch: int) -> tuple[Pixels, Pixels]:
        return clip(lambda: self._photo(rng), self.scale, self.frames, patch, rng)

    def _photo(self, rng: np.random.Generator) -> Pixels:
        return self.high[sample_index(self._areas, rng)][..., 0]

    @cached_property
    def _areas(self) -> NDArray[np.float64]:
        return np.cumsum(self.high.sizes.prod(axis=1), dtype=np.float64)


def least(scale: int, patch: int) -> int:
    """Pixels a side of a photo of which a frame shows that much."""
    return int(_COARSEST * scale * patch) + 1


def clip(
    image: Callable[[], Pixels], scale: int, frames: int, side: int, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A clip at low resolution, T S S of 8 bits, reduced by bicubic as the benchmarks' photos are, and its truth.

    image: gives one, H W of 8 or 16 bits, at each call.
    """
    high = _scene(image, frames, scale * side, rng)
    return np.stack([resize(frame, side, side) for frame in high]), high


def _scene(image: Callable[[], Pixels], frames: int, side: int, rng: np.random.Generator) -> Pixels:
    """Frames T S S: a view of a photo, now and then with a part of another view before it."""
    seen = view(image(), frames, side, rng)
    if rng.random() < _BEFORE:
        seen = np.where(_disc(frames, side, rng), view(image(), frames, side, rng), seen)
    turns, is_mirrored = int(rng.integers(4)), bool(rng.integers(2))
    seen = np.rot90(seen[..., ::-1] if is_mirrored else seen, turns, (1, 2))
    if rng.random() < _SOFT:
        seen = _softened(seen, rng.uniform(0.3, _SOFTEST))
    if rng.random() < _STUDIO:
        seen = np.rint(seen * np.float32(219 / 255) + 16).astype(np.uint8)
    return np.ascontiguousarray(seen)


def _softened(seen: Pixels, sigma: float) -> Pixels:
    """The frames, blurred by a Gaussian of so many pixels, down and across."""
    reach = math.ceil(3 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1, dtype=np.float32) / sigma) ** 2)
    levels = seen.astype(np.float32)
    for axis in (1, 2):
        border = [(0, 0), *((reach, reach) if axis == each else (0, 0) for each in (1, 2))]
        windows = sliding_window_view(np.pad(levels, border, mode="symmetric"), weights.size, axis=axis)
        levels = windows @ (weights / weights.sum())
    return np.rint(levels).astype(np.uint8)


def view(image: Pixels, frames: int, side: int, rng: np.random.Generator) -> Pixels:
    """What a camera sees of a photo along a path: windows at whole pixels of it, reduced; T S S of 8 bits."""
    reach = np.minimum(rng.uniform(_FINEST, _COARSEST) * (1 + _zoom(frames, rng)), min(image.shape) / side)
    windows = np.floor(reach * side + 1e-6).astype(int)
    path = reach[:, None] * _path(frames, rng)
    middle = [rng.uniform(windows.max() / 2, max(windows.max() / 2, n - windows.max() / 2)) for n in image.shape]
    levels = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
    corners = np.rint(middle + path - windows[:, None] / 2).astype(int)
    places = zip(corners, windows, strict=True)
    return np.stack([_window(levels, top, left, window, side) for (top, left), window in places])


def _window(levels: Pixels, top: int, left: int, window: int, side: int) -> Pixels:
    """The photo goes on as a mirror image beyond its border."""
    rows, columns = (
        mirrored(np.arange(start, start + window), n) for start, n in zip((top, left), levels.shape, strict=True)
    )
    return resize(levels[np.ix_(rows, columns)], side, side)


def _path(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Down and right in pixels of a frame, T 2, around the middle: a speed, its changes, and a hand that shakes."""
    kind = rng.random()
    if kind < _STILL:
        return np.zeros((frames, 2))
    speed = rng.exponential(1.5) if kind < _PLAIN else rng.uniform(0, 10)
    angle = rng.uniform(0, 2 * np.pi)
    changes = np.cumsum(rng.normal(0, 0.1 + 0.15 * speed, (frames, 2)), 0)
    shaking = rng.normal(0, rng.choice([0.0, 0.15, 0.5]), (frames, 2))
    path = np.cumsum(speed * np.array([np.sin(angle), np.cos(angle)]) + changes, 0) + shaking
    return path - path[frames // 2]


def _zoom(frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """By how much the camera sees more, T; mostly nothing."""
    return (rng.normal(0, 0.006) if rng.random() < 0.3 else 0.0) * np.arange(frames, dtype=np.float64)


def _disc(frames: int, side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Where something round is that moves by itself, T S S."""
    radius, places = rng.uniform(0.15, 0.5) * side, np.arange(side)
    middle = rng.uniform(0, side, 2) + _path(frames, rng)
    down, across = (places - middle[:, axis, None] for axis in (0, 1))
    return down[:, :, None] ** 2 + across[:, None] ** 2 < radius**2

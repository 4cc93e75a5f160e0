"""What is looked at: a small image as a whole, a large one through windows that its size alone decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.images import Floats, Image
from subpixel.ports import Shape

SIDE, GRID = 128, 7
"""Pixels along a window, and windows along a side of a large image."""
WHOLE = SIDE**2 * GRID**2
"""Pixels up to which an image is one window."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # JFIF, full range: what a JPEG file quantises
_ENOUGH = 2**16  # samples of which it is told whether colours follow from the luma
_COLOURED, _FOLLOWS = 4.0, 1.0  # levels^2: of channels beside the luma in what has a tone, and what luma leaves of them


class Rows(Protocol):
    """An image whose rows can be asked for, as `inference.rows` has them."""

    @property
    def shape(self) -> Shape:
        """Height, width, channels, alpha and dtype."""
        ...

    def rows(self, y0: int, y1: int) -> Any:
        """Rows y0 to y1 (exclusive), as `inference.rows` gives them."""
        ...


class Samples:
    """An image in memory as rows: H W C, with alpha last where the shape says so."""

    def __init__(self, samples: NDArray[Any], shape: Shape) -> None:
        self.shape = shape
        self._samples = samples

    @classmethod
    def of(cls, array: NDArray[Any]) -> Self:
        """The rows of an array of uint8, uint16 or floats in [0, 1], H W or H W 1 to 4. Raises: BadRequest."""
        if array.dtype.name not in ("uint8", "uint16"):
            image = Image.from_array(array)
            return cls(image.samples, image.shape)
        first = Image.from_array(array[:1])  # which refuses what is no image
        samples = array[..., None] if array.ndim == 2 else array
        return cls(samples, replace(first.shape, height=len(samples), dtype=array.dtype.name))

    def rows(self, y0: int, y1: int) -> NDArray[Any]:
        """Rows y0 to y1 (exclusive), H W C."""
        return self._samples[y0:y1]


def windows(source: Rows) -> Floats:
    """N H W C (C = 1 or 3; alpha is left out), in levels 0..255, not rounded.

    Their corners lie at multiples of 8, so that a grid of 8x8 blocks has one phase in all of them. Rows are asked for
    once, from top to bottom, at most 128 of a large image at a time.
    """
    shape = source.shape
    if shape.pixels <= WHOLE:
        return _levels(_samples(source, 0, shape.height)[None])
    height, width = min(SIDE, shape.height), min(SIDE, shape.width)
    lefts = _corners(shape.width, width)
    cut = [
        strip[:, x : x + width].copy()  # a view would keep the strip
        for strip in (_samples(source, y, y + height) for y in _corners(shape.height, height))
        for x in lefts
    ]
    return _levels(np.stack(cut))


def luma(levels: Floats) -> Floats:
    """N H W C -> N H W: the luma of JPEG files, 0..255."""
    return levels[..., 0] if levels.shape[-1] == 1 else levels @ _LUMA


def is_toned(levels: Floats) -> bool:
    """Whether its colours are more than a breath, and follow from its luma, as those of sepia and cyanotype do."""
    if levels.shape[-1] == 1:
        return False
    pixels = levels.reshape(-1, 3)[:: max(1, levels.size // _ENOUGH)]
    brightness = pixels @ _LUMA
    colours = pixels - brightness[:, None]
    shades = brightness.round().astype(np.int64)
    counts = np.maximum(np.bincount(shades), 1)
    means = np.stack([np.bincount(shades, weights=channel) / counts for channel in colours.T], axis=1)
    return bool((colours**2).mean() > _COLOURED and ((colours - means[shades]) ** 2).mean() < _FOLLOWS)


def clipped(levels: Floats, low: float = 0, high: float = 255) -> NDArray[np.bool_]:
    """N H W C -> N H W: where a channel is at an end of the levels, or so near."""
    beyond = [(channel <= low) | (channel >= high) for channel in np.moveaxis(levels, -1, 0)]
    return np.logical_or.reduce(beyond)  # over a list: along an axis of 3 it takes five times as long


def _corners(length: int, side: int) -> list[int]:
    """Where windows begin: evenly spread, rounded down to multiples of 8."""
    return sorted({int(corner) // 8 * 8 for corner in np.linspace(0, length - side, GRID)})


def _samples(source: Rows, y0: int, y1: int) -> NDArray[Any]:
    return source.rows(y0, y1)[..., : source.shape.channels]


def _levels(samples: NDArray[Any]) -> Floats:
    if samples.dtype == np.uint8:
        return samples.astype(np.float32)
    top = np.iinfo(samples.dtype).max if samples.dtype.kind == "u" else 1
    return np.multiply(samples, np.float32(255 / top), dtype=np.float32)

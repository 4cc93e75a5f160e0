"""Nearest, bilinear, bicubic and Lanczos resampling, as MATLAB's imresize does it.

When it enlarges, a kernel is evaluated at its own width; when it reduces, the kernel is stretched by the factor
(antialiasing). Pixels are areas, so output pixel x lies at (x + 1/2) / scale - 1/2 of the input. The border is
mirrored with its edge pixel repeated. uint8 images are rounded to uint8 after each of the two passes, so the
benchmark images of the field can be reproduced to the last bit; float images are never rounded or clipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, UnknownName

Array = NDArray[Any]
Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos"]

_BLOCK = 64  # output pixels per matrix product: wide enough for BLAS, narrow enough to stay banded


def _box(x: Array) -> Array:
    return ((x >= -0.5) & (x < 0.5)).astype(np.float64)


def _triangle(x: Array) -> Array:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cubic(x: Array) -> Array:
    """Keys' cubic convolution kernel with a = -0.5 (Keys 1981, equation 15)."""
    d = np.abs(x)
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d <= 1, near, np.where(d <= 2, far, 0.0))


def _lanczos3(x: Array) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS: dict[str, tuple[Callable[[Array], Array], float]] = {
    "nearest": (_box, 1.0),
    "bilinear": (_triangle, 2.0),
    "bicubic": (_cubic, 4.0),
    "lanczos": (_lanczos3, 6.0),
}
"""Each kernel with the width of its support in pixels."""


@dataclass(frozen=True)
class Taps:
    """One axis of a resampling: output pixel i is the sum of `weights[i, k] * input[indices[i, k]]`."""

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]

    def between(self, start: int, stop: int) -> Taps:
        """The taps of the output pixels start <= i < stop."""
        return Taps(self.indices[start:stop], self.weights[start:stop])

    @cached_property
    def blocks(self) -> list[tuple[Array, int, int]]:
        """The band matrix, as dense blocks with the input pixels first <= j < last that each of them reads."""
        blocks: list[tuple[Array, int, int]] = []
        for start in range(0, len(self.weights), _BLOCK):
            part = self.between(start, start + _BLOCK)
            first, last = part.reach
            matrix = np.zeros((len(part.weights), last - first))
            np.add.at(matrix, (np.arange(len(matrix))[:, None], part.indices - first), part.weights)
            blocks.append((matrix, first, last))
        return blocks

    @property
    def reach(self) -> tuple[int, int]:
        """The input pixels first <= j < last that are read."""
        return int(self.indices.min()), int(self.indices.max()) + 1


def taps(length: int, target: int, kernel: str = "bicubic", scale: float | None = None, shift: float = 0.0) -> Taps:
    """Positions and weights that turn `length` pixels into `target` (scale = target / length unless it is given).

    shift: how far behind its place each result is taken, in pixels of the input.
    Raises: UnknownName for a kernel that does not exist, BadRequest for a length below 1.
    Source: the `contributions` step of MATLAB's imresize.
    """
    if kernel not in KERNELS:
        raise UnknownName("kernel", kernel, KERNELS)
    if length < 1 or target < 1:
        raise BadRequest(f"cannot resize {length} pixels to {target}: both must be at least 1")
    function, width = KERNELS[kernel]
    ratio = target / length if scale is None else scale
    stretch = min(ratio, 1.0) if kernel != "nearest" else 1.0
    width /= stretch
    centre = (np.arange(target) + 0.5) / ratio - 0.5 + shift
    left = np.floor(centre - width / 2).astype(np.int64)
    positions = left[:, None] + np.arange(math.ceil(width) + 3)
    weights = stretch * function(stretch * (centre[:, None] - positions))
    weights /= weights.sum(axis=1, keepdims=True)
    nonzero = np.any(weights != 0, axis=0)
    return Taps(mirrored(positions[:, nonzero], length), weights[:, nonzero])


def mirrored(positions: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Positions on an axis of so many pixels, those beyond its ends mirrored into it, the edge pixel repeated."""
    folded = np.mod(positions, 2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def along_rows(pixels: Array, axis: Taps, first: int = 0) -> Array:
    """Resamples axis 0 of H W C; `pixels` holds the input rows from `first` on."""
    flat = pixels.reshape(len(pixels), -1)
    blocks = [matrix.astype(pixels.dtype) @ flat[start - first : stop - first] for matrix, start, stop in axis.blocks]
    return np.concatenate(blocks).reshape(-1, *pixels.shape[1:])


def along_columns(pixels: Array, axis: Taps) -> Array:
    """Resamples axis 1 of H W C."""
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    blocks = [planes[..., start:stop] @ matrix.astype(pixels.dtype).T for matrix, start, stop in axis.blocks]
    return np.ascontiguousarray(np.moveaxis(np.concatenate(blocks, axis=-1), 0, -1))


def resize(pixels: Array, height: int, width: int, kernel: str = "bicubic", scale: float | None = None) -> Array:
    """Resamples an image to height x width.

    pixels: H W or H W C; uint8, or float in any range. Returns the same type; float is not clipped.
    scale: the exact factor, where it differs from the ratio of the sizes (see `rescale`).
    Raises: UnknownName, BadRequest (see `taps`).
    """
    if pixels.ndim == 2:
        return resize(pixels[..., None], height, width, kernel, scale)[..., 0]
    rows = taps(pixels.shape[0], height, kernel, scale)
    columns = taps(pixels.shape[1], width, kernel, scale)
    passes: list[tuple[Callable[[Array, Taps], Array], Taps]] = [(along_rows, rows), (along_columns, columns)]
    if width / pixels.shape[1] < height / pixels.shape[0]:
        passes.reverse()  # the smaller scale first, rows first where they are equal
    for along, axis in passes:
        is_uint8 = pixels.dtype == np.uint8
        pixels = _as_uint8(along(pixels.astype(np.float64), axis)) if is_uint8 else along(pixels, axis)
    return pixels


def rescale(pixels: Array, scale: float, kernel: str = "bicubic") -> Array:
    """Resamples an image by a factor, to ceil(size * scale) pixels, as imresize(image, scale) does.

    pixels: as `resize` takes them, and gives them back.
    Raises: BadRequest for a scale that is not a positive finite number; as `resize` does.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise BadRequest(f"scale {scale} is not a positive number")
    height, width = (max(1, math.ceil(round(n * scale, 9))) for n in pixels.shape[:2])
    return resize(pixels, height, width, kernel, scale)


def _as_uint8(values: Array) -> NDArray[np.uint8]:
    return np.floor(np.clip(values, 0, 255) + 0.5).astype(np.uint8)

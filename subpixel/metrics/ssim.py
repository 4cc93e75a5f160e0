"""Structural similarity, at one scale and at several."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest
from subpixel.metrics.protocol import same_shape

Plane = NDArray[np.float64]

WINDOW = 11
"""Pixels along the side of the window."""

_C1, _C2 = 0.01**2, 0.03**2  # for values in [0, 1]: the paper's (K L)^2 with L = 255, divided by 255^2


def ssim(result: NDArray[Any], reference: NDArray[Any]) -> float:
    """Mean structural similarity; 1 for equal images.

    Both: H W or H W C, in [0, 1], prepared under a Protocol. An 11x11 Gaussian window with sigma 1.5 at every
    place where it lies wholly inside the image, as in the authors' MATLAB code; channels are averaged.
    Raises: BadRequest if the shapes differ or a side is shorter than 11 pixels.
    Source: Wang, Bovik, Sheikh, Simoncelli 2004, equation 13, with K1 = 0.01 and K2 = 0.03.
    """
    planes = _planes(result, reference, WINDOW)
    return float(np.mean([_similarity(x, y)[0] for x, y in planes]))


def ms_ssim(result: NDArray[Any], reference: NDArray[Any]) -> float:
    """Structural similarity over five scales; 1 for equal images.

    Contrast and structure are compared at every scale, luminance at the coarsest; between scales the images
    are averaged over 2x2 pixels and halved. A scale whose mean is negative counts as 0.
    Raises: BadRequest if the shapes differ or a side is shorter than 176 pixels (11 at the coarsest scale).
    Source: Wang, Simoncelli, Bovik 2003, equation 7, with the exponents of section 3.2.
    """
    planes = _planes(result, reference, WINDOW * 2 ** (len(EXPONENTS) - 1))
    return float(np.mean([_over_scales(x, y) for x, y in planes]))


EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The weight of each scale of `ms_ssim`, the finest first."""


def _over_scales(x: Plane, y: Plane) -> float:
    product = 1.0
    for exponent in EXPONENTS[:-1]:
        product *= max(0.0, _similarity(x, y)[1]) ** exponent
        x, y = _halved(x), _halved(y)
    return product * max(0.0, _similarity(x, y)[0]) ** EXPONENTS[-1]


def _similarity(x: Plane, y: Plane) -> tuple[float, float]:
    """The means of SSIM and of its contrast-structure term."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    variances = _blurred(x * x) + _blurred(y * y) - mean_x**2 - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    structure = (2 * covariance + _C2) / (variances + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return float(np.mean(luminance * structure)), float(np.mean(structure))


def _planes(result: NDArray[Any], reference: NDArray[Any], smallest: int) -> list[tuple[Plane, Plane]]:
    same_shape(result, reference)
    height, width = result.shape[:2]
    if min(height, width) < smallest:
        raise BadRequest(f"the images are {width}x{height}; this metric needs {smallest} pixels a side")
    channels = [np.atleast_3d(p).astype(np.float64).transpose(2, 0, 1) for p in (result, reference)]
    return list(zip(*channels, strict=True))


def _window() -> Plane:
    weights = np.array([math.exp(-((k - WINDOW // 2) ** 2) / (2 * 1.5**2)) for k in range(WINDOW)])
    return weights / weights.sum()


def _blurred(x: Plane) -> Plane:
    """The window's weighted mean around every pixel that has the whole window inside the image."""
    for axis in (0, 1):
        inside = x.shape[axis] - WINDOW + 1
        weighted = (w * x.take(range(k, k + inside), axis) for k, w in enumerate(_window()))
        x = np.add.reduce(list(weighted))
    return x


def _halved(x: Plane) -> Plane:
    """Means of 2x2 pixels; the last row and column are repeated where their number is odd."""
    even = np.pad(x, [(0, n % 2) for n in x.shape], mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4

"""Wiener's filter for a known Gaussian blur.

With power N of the noise and S of the image, the frequencies f of a blurred image are multiplied by G / (G^2 + N / S),
where G = exp(-2 pi^2 f' C f) for a blur of covariance C. The power of photos falls with the square of the frequency
(Field 1987), so N / S = c |f|^2.
Source: for a filter before a network, Hussein, Tirer and Giryes, Correction Filter for Single Image Super-Resolution,
CVPR 2020.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Covariance = tuple[float, float, float]
"""xx, yy and xy of a blur in px^2; x runs to the right, y up."""

NOISE = 0.01
"""c above. Rounding to 8 bits is a tenth of it; the rest is what aliases and what is not quite Gaussian."""
REACH = 20
"""Pixels on each side that the filter sees."""
_GRID = 128  # frequencies along an axis: the filter has died away before it wraps around


def wiener(blur: Covariance) -> NDArray[np.float64]:
    """The filter, (2 REACH + 1) squared, of sum 1."""
    fy, fx = np.fft.fftfreq(_GRID)[:, None], np.fft.fftfreq(_GRID)
    xx, yy, xy = blur  # rows run down, y runs up
    transfer = np.exp(-2 * np.pi**2 * (xx * fx * fx + yy * fy * fy - 2 * xy * fx * fy))
    response = np.fft.ifft2(transfer / (transfer**2 + NOISE * (fx * fx + fy * fy))).real
    near = np.arange(-REACH, REACH + 1)
    kernel = response[np.ix_(near, near)]
    return kernel / kernel.sum()

"""NIQE: how far the statistics of an image are from those of natural ones, without a reference.

Mittal, Soundararajan, Bovik: Making a "completely blind" image quality analyzer, IEEE SPL 2013.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, BadWeights, unread
from subpixel.resample import resize

Array = NDArray[np.float64]
BLOCK = 96
"""Side of a block at full size, in pixels."""
_OFFSETS = np.arange(-3, 4)
_BELL: Array = np.exp(-(_OFFSETS**2) / (2 * (7 / 6) ** 2))
_WINDOW: Array = _BELL / _BELL.sum()
_SHAPES: Array = np.arange(0.2, 10.001, 0.001)
"""Shape parameters that a fit can give."""
_gamma = np.vectorize(math.gamma)
_RATIOS: Array = _gamma(2 / _SHAPES) ** 2 / (_gamma(1 / _SHAPES) * _gamma(3 / _SHAPES))


@dataclass(frozen=True)
class Niqe:
    """The statistics of natural images: mean (36) and covariance (36, 36) of the features of their blocks."""

    mean: Array
    covariance: Array

    def __call__(self, luma: NDArray[Any]) -> float:
        """The distance of an image's luma, H W in [0, 1], at least 192 pixels a side; smaller is more natural.

        Raises: BadRequest for a smaller image, and one of which all blocks but one are flat.
        """
        if luma.ndim != 2 or min(luma.shape) < 2 * BLOCK:
            raise BadRequest(f"NIQE takes a luma of at least {2 * BLOCK}x{2 * BLOCK} pixels, not {luma.shape}")
        features = _features(np.round(luma.astype(np.float64) * 255))
        valid = features[~np.isnan(features).any(axis=1)]
        if len(valid) < 2:
            raise BadRequest(f"NIQE takes an image of which two blocks of {BLOCK}x{BLOCK} pixels are not flat")
        difference = self.mean - np.nanmean(features, axis=0)
        inverse = np.linalg.pinv((self.covariance + np.cov(valid, rowvar=False)) / 2)
        return math.sqrt(difference @ inverse @ difference)


def load(path: str | Path) -> Niqe:
    """The published statistics: an .npz with mu_pris_param and cov_pris_param. Raises: BadWeights."""
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return Niqe(stored["mu_pris_param"].reshape(36), stored["cov_pris_param"].reshape(36, 36))
    except OSError as error:
        raise BadWeights(path, unread(error)) from None
    except (KeyError, ValueError, TypeError, EOFError, BadZipFile):  # TypeError: of a file with one array
        raise BadWeights(path, "expected an .npz with NIQE's mu_pris_param and cov_pris_param") from None


def _features(levels: Array) -> Array:
    """Blocks x 36: eighteen numbers of each block at full and at half size."""
    height, width = (n // BLOCK * BLOCK for n in levels.shape)
    full = levels[:height, :width]
    half = resize(full[..., None] / 255, height // 2, width // 2)[..., 0] * 255
    return np.concatenate([_at_size(full, BLOCK), _at_size(half, BLOCK // 2)], axis=1)


def _at_size(levels: Array, block: int) -> Array:
    normalised = contrast_normalised(levels)
    height, width = normalised.shape
    return np.array(
        [
            _of_block(normalised[y : y + block, x : x + block])
            for x in range(0, width, block)
            for y in range(0, height, block)
        ]
    )


def contrast_normalised(levels: Array) -> Array:
    """Each pixel less the mean around it, by the deviation around it plus 1 (equation 1)."""
    mean = _blurred(levels)
    deviation = np.sqrt(np.abs(_blurred(levels**2) - mean**2))
    return (levels - mean) / (deviation + 1)


def _blurred(x: Array) -> Array:
    """A 7x7 Gaussian with a deviation of 7/6 pixels; the border is repeated."""
    padded = np.pad(x, 3, mode="edge")
    rows = np.sum([w * padded[k : k + x.shape[0]] for k, w in enumerate(_WINDOW)], axis=0)
    return np.sum([w * rows[:, k : k + x.shape[1]] for k, w in enumerate(_WINDOW)], axis=0)


def _of_block(block: Array) -> Array:
    """Shape and width of the block's values, then shape, mean and widths of its products with four neighbours."""
    shape, left, right = fit_aggd(block)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = fit_aggd(block * np.roll(block, shift, axis=(0, 1)))
        mean = (right - left) * math.gamma(2 / shape) / math.gamma(1 / shape)
        features += [shape, mean, left, right]
    return np.array(features)


def fit_aggd(values: Array) -> tuple[float, float, float]:
    """Shape, left and right scale of an asymmetric generalised Gaussian, by moments (equations 5 to 7)."""
    left = math.sqrt(np.mean(values[values < 0] ** 2)) if (values < 0).any() else math.nan
    right = math.sqrt(np.mean(values[values > 0] ** 2)) if (values > 0).any() else math.nan
    if math.isnan(left) or math.isnan(right):
        return math.nan, left, right
    ratio = left / right
    r = np.mean(np.abs(values)) ** 2 / np.mean(values**2)
    normalised = r * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shape = float(_SHAPES[np.argmin((_RATIOS - normalised) ** 2)])
    scale = math.sqrt(math.gamma(1 / shape) / math.gamma(3 / shape))
    return shape, left * scale, right * scale

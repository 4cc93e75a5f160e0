"""What a network for blurred images learns from: the filter takes the blur away, or as much as it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import convolve

from subpixel.deconvolution import wiener
from subpixel.degradations import Deblurred, Downsample, GaussianBlur, classical, from_dict, to_dict
from subpixel.degradations.labels import LABELS
from subpixel.errors import BadRequest
from subpixel.images import Floats, read
from subpixel.metrics.psnr import psnr

BLURRED = Downsample(2, after=GaussianBlur(1.6, 0.8, 30))


def photo() -> Floats:
    path = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
    return read(path).pixels[:256, 100:330].astype(np.float32)


def test_the_filter_is_told_the_blur_that_is_left() -> None:
    """In pixels of the small image, half as wide: 0.8 px along 30 degrees, 0.4 across."""
    low, deblurred = (d.apply(photo(), np.random.default_rng(0)) for d in (BLURRED, Deblurred(BLURRED, error=0)))
    xx, yy, xy = 0.75 * 0.64 + 0.25 * 0.16, 0.25 * 0.64 + 0.75 * 0.16, (0.64 - 0.16) * np.sqrt(3) / 4
    weights, (height, width) = wiener((xx, yy, xy)), low.shape[:2]
    padded = np.pad(low.astype(np.float64), ((20, 20), (20, 20), (0, 0)), mode="symmetric")
    expected = sum(weights[y, x] * padded[y : y + height, x : x + width] for y, x in np.ndindex(weights.shape))
    assert 255 * np.abs(deblurred - np.clip(expected, 0, 1)).max() < 0.5  # the moments of a sampled kernel
    sharp = classical(2).apply(photo(), np.random.default_rng(0))
    assert psnr(deblurred, sharp) > psnr(low, sharp) + 6


@pytest.mark.parametrize("seed", range(3))
def test_an_error_is_a_factor_of_the_width(seed: int) -> None:
    """Of exp(0.2 n) with a normal n, above 1 and below."""
    blur, wrong = GaussianBlur(1.0), np.exp(0.2 * np.random.default_rng(seed).normal())
    weights = wiener((wrong**2, wrong**2, 0.0))
    blurred = blur.apply(photo(), np.random.default_rng(seed))
    expected = np.stack([convolve(blurred[..., c], weights, mode="reflect") for c in range(3)], axis=-1)
    deblurred = Deblurred(blur, error=0.2).apply(photo(), np.random.default_rng(seed))
    assert 255 * np.abs(deblurred - np.clip(expected, 0, 1)).max() < 0.5


def test_no_blur_is_left() -> None:
    labels = Deblurred(BLURRED).vector()
    assert labels == dict(LABELS) | {"factor": 0.5, "resampling_loss": labels["resampling_loss"]}


def test_it_is_a_table_of_a_recipe() -> None:
    assert from_dict(to_dict(Deblurred(BLURRED, 0.2))) == Deblurred(BLURRED, 0.2)
    with pytest.raises(BadRequest, match="error is -1; expected a number from 0"):
        Deblurred(BLURRED, -1)

"""Gray grain, which only its evenness tells from texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import subpixel
from subpixel.analysis import jpeg, noise
from subpixel.images import read
from subpixel.resample import resize


@pytest.mark.parametrize(("low", "high", "count", "half_of_them"), [(5, 6, 13, 6), (9, 14, 21, 9)])
def test_the_powers_of_white_noise_follow_the_chi_squared_distribution(
    low: int, high: int, count: int, half_of_them: int
) -> None:
    plane = np.random.default_rng(0).normal(0, 9, (1, 640, 800)).astype(np.float32)
    told = noise._texture(jpeg.blocks(plane, (0, 0)) @ jpeg.dct(), low, high)
    least, few, half, many = stats.chi2.ppf((0.03, 0.16, 0.5, 0.84), count)
    leaning = np.log(stats.f.ppf(0.75, half_of_them, half_of_them))  # the median of its absolute logarithm
    assert told == pytest.approx([np.log(many / few), np.log(half / least), leaning], abs=0.03)


def test_stripes_lean_and_patches_are_uneven() -> None:
    rng = np.random.default_rng(0)
    stripes = np.tile(rng.normal(0, 9, (1, 640, 1)), (1, 1, 800)) + rng.normal(0, 1, (1, 640, 800))
    patches = rng.normal(0, 9, (1, 640, 800)) * np.kron(rng.uniform(0.2, 1, (1, 40, 50)), np.ones((1, 16, 16)))
    for plane, limits in ((stripes, (0, 0, 2)), (patches, (1.5, 1.5, 0))):  # white noise: 0.8, 0.8, 0.6
        told = noise._texture(jpeg.blocks(plane.astype(np.float32), (0, 0)) @ jpeg.dct(), 5, 6)
        assert (told > limits).all()


@pytest.mark.parametrize("name", ["astronaut.jpg", "coffee.jpg", "rocket.jpg", "seeding.jpg"])
def test_gray_grain_is_found(examples: Path, name: str) -> None:
    photo = read(examples / name).pixels
    height, width = (n // 2 for n in photo.shape[:2])
    small = 255 * resize(photo, height, width).clip(0, 1)
    grain = np.random.default_rng(0).normal(0, 5, (height, width, 1))
    assert subpixel.inspect(np.round(small).astype(np.uint8)).clean
    found = subpixel.inspect(np.round(small + grain).clip(0, 255).astype(np.uint8)).noise
    assert found is not None
    assert (found.sigma, found.chroma) == (pytest.approx(5, abs=0.3), pytest.approx(0, abs=0.5))

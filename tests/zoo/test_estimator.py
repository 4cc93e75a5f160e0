"""The training of the estimator: its labels are what was done, and its permutations are those of the image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from subpixel.analysis.estimator import TARGETS
from subpixel.analysis.statistics import statistics
from subpixel.degradations import GaussianBlur
from zoo import estimator


@pytest.fixture(scope="module")
def photo(examples):
    return np.asarray(Pillow.open(examples / "coffee.jpg").convert("RGB"))[:256, :256]


@pytest.mark.parametrize(("mirrored", "transposed"), [(True, False), (False, True), (True, True)])
def test_turned_statistics_are_those_of_the_turned_image(photo, mirrored, transposed):
    turned = photo[:, ::-1] if mirrored else photo
    turned = turned.swapaxes(0, 1) if transposed else turned
    plain, expected = (statistics(np.ascontiguousarray(p)[None].astype(np.float32))[None] for p in (photo, turned))
    labels = np.arange(1.0, 1 + len(TARGETS), dtype=np.float32)[None]
    found, new = estimator.flipped(plain, labels, mirrored, transposed)
    bands = slice(0, 3 * 17 * 9)
    assert abs(found - expected)[:, bands].mean() < 0.3 * abs(plain - expected)[:, bands].mean()
    xx, yy, xy = (TARGETS.index(name) for name in ("blur_xx", "blur_yy", "blur_xy"))
    axes = (labels[0, yy], labels[0, xx]) if transposed else (labels[0, xx], labels[0, yy])
    assert (new[0, xx], new[0, yy], new[0, xy]) == (*axes, -labels[0, xy] if mirrored else labels[0, xy])


def test_the_blur_is_that_of_the_degradations(photo):
    """A single bright pixel spreads as the label says, y up."""
    point = np.zeros((64, 64, 3), np.float32)
    point[32, 32] = 1
    blur = GaussianBlur(2.0, 1.0, 30.0)
    xx, yy, xy = blur.vector()["blur_xx"], blur.vector()["blur_yy"], blur.vector()["blur_xy"]
    made = estimator.smoothed(point, np.array([xx, yy, xy]), False)
    assert made == pytest.approx(blur.apply(point, np.random.default_rng(0)), abs=1e-3)


def test_noise_is_of_the_deviation_that_the_label_says():
    flat = np.full((200, 200, 3), 0.5, np.float32)
    noisy = estimator._noisy(flat, 10, False, 0.7, np.random.default_rng(0)) * 255
    assert noisy.std() == pytest.approx(10, rel=0.02)  # at mid-gray, whatever share follows brightness
    dark = estimator._noisy(flat / 2, 10, False, 1.0, np.random.default_rng(0)) * 255
    assert dark.std() == pytest.approx(10 * 0.5**0.5, rel=0.02)


def test_examples_repeat(photo):
    high = np.tile(photo, (2, 2, 1))
    first, again = (estimator.examples([high], [high], 8, seed=5) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[1].shape == (8, len(TARGETS))
    assert np.isfinite(first[0]).all()

"""The model of a frame against dense matrices, and the most likely image against its normal equations."""

from __future__ import annotations

import numpy as np
import pytest

from subpixel.burst.posterior import Optics, map_estimate
from subpixel.burst.sampling import REACH, Samples, blurred, multiplied

SHAPE = (24, 28)
RNG = np.random.default_rng(3)
X, Y = RNG.uniform(2, 24, 300), RNG.uniform(2, 20, 300)


@pytest.fixture(scope="module")
def samples() -> Samples:
    return Samples.at(SHAPE, X, Y, RNG.random((3, 300), np.float32))


@pytest.fixture(scope="module")
def dense(samples: Samples) -> np.ndarray:
    """(300, 24 * 28), from the definition: a Gaussian of the distance to the 4 x 4 pixels around."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    near = (np.abs(columns - np.floor(X)[:, None, None] - 0.5) < 2) & (
        np.abs(rows - np.floor(Y)[:, None, None] - 0.5) < 2
    )
    distance = (columns - X[:, None, None]) ** 2 + (rows - Y[:, None, None]) ** 2
    weights = near * np.exp(-distance / (2 * REACH**2))
    return (weights / weights.sum(axis=(1, 2), keepdims=True)).reshape(300, -1)


def test_samples_are_the_matrix(samples: Samples, dense: np.ndarray) -> None:
    fine, values = RNG.random((3, dense.shape[1]), np.float32), RNG.random((3, 300), np.float32)
    assert samples.predicted(fine) == pytest.approx(fine @ dense.T, abs=1e-5)
    assert samples.spread(values) == pytest.approx(values @ dense, abs=1e-5)


def test_the_normal_matrix(samples: Samples, dense: np.ndarray) -> None:
    trust, fine = RNG.random(300, np.float32), RNG.random((3, dense.shape[1]), np.float32)
    expected = fine @ (dense.T * trust @ dense)
    assert multiplied(samples.normal(trust), fine) == pytest.approx(expected, abs=1e-4)


def test_the_split_of_the_psf_is_a_gaussian_of_both() -> None:
    """A wave seen through sigma 1.2 keeps exp(-(2 pi f sigma)^2 / 2) of its contrast, wherever it is sampled."""
    frequency, sigma = 0.11, 1.2
    fine = np.cos(2 * np.pi * frequency * np.arange(80.0) + 0.3) * np.ones((80, 1))
    x, y = RNG.uniform(30, 50, 200), RNG.uniform(30, 50, 200)
    seen = Samples.at((80, 80), x, y, np.zeros((1, 200), np.float32)).predicted(
        blurred(fine[None].astype(np.float32), Optics(sigma, 0.01).blur).reshape(1, -1)
    )
    kept = np.exp(-((2 * np.pi * frequency * sigma) ** 2) / 2)
    assert seen[0] == pytest.approx(kept * np.cos(2 * np.pi * frequency * x + 0.3), abs=0.01)


def test_a_blur_is_its_own_transpose() -> None:
    a, b = RNG.random((2, 1, *SHAPE), np.float32)
    assert (blurred(a, 1.3) * b).sum() == pytest.approx((a * blurred(b, 1.3)).sum(), rel=1e-5)


def test_pixels_that_are_wild_count_little() -> None:
    """A flat scene of 0.5, seen 2,000 times with 3 % of the pixels at 1: the result stays flat."""
    rng = np.random.default_rng(0)
    shape, count = (40, 40), 2000
    values = np.full((1, count), 0.5) + rng.normal(0, 0.01, (1, count))
    values[:, ::33] = 1
    samples = Samples.at(shape, *rng.uniform(2, 36, (2, count)), values.astype(np.float32))
    fine, deviation = map_estimate(np.full((1, *shape), 0.5, np.float32), samples, Optics(0.8, 0.01))
    assert np.abs(fine - 0.5)[:, 4:-4, 4:-4].max() < 0.02
    assert 0 < deviation.min() <= deviation.max() <= 0.0051


def test_without_much_noise_the_frames_decide() -> None:
    """The prior is wrong by a wave of contrast 0.1 that the frames see: it is mended to a tenth."""
    rng = np.random.default_rng(0)
    wave = 0.1 * np.cos(2 * np.pi * np.arange(64) / 16)[None] * np.ones((64, 1))
    truth, prior = (0.5 + part[None].astype(np.float32) for part in (2 * wave, wave))
    places = rng.uniform(2, 60, (2, 4000))
    bare = Samples.at((64, 64), *places, np.zeros((1, 4000), np.float32))
    seen = bare.predicted(blurred(truth, Optics(1.0, 0.01).blur).reshape(1, -1))
    noisy = (seen + rng.normal(0, 0.005, seen.shape)).astype(np.float32)
    fine, _ = map_estimate(prior, Samples.at((64, 64), *places, noisy), Optics(1.0, 0.005))
    before, after = (float(np.abs(x - truth)[:, 8:-8, 8:-8].mean()) for x in (prior, fine))
    assert after < 0.15 * before

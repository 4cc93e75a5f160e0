"""Motions that are known, found again to a fraction of a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import read
from subpixel.benchmarks.burst import Setting, keys, make_burst
from subpixel.burst import Motion
from subpixel.burst.motion import inside, sample
from subpixel.burst.registration import phase_correlation, register
from subpixel.color import luma
from subpixel.images import Floats, dequantise


@pytest.fixture(scope="module")
def truth(examples: Path) -> Floats:
    return np.ascontiguousarray(read(examples / "coffee.jpg").pixels[60:316, 120:440])


def _error(truth: Floats, setting: Setting, seed: int = 1) -> tuple[float, float]:
    """Root mean square distance in pixels of the found from the true places, and the wobble."""
    (still, moved), motions = make_burst(truth, setting, 2, np.random.default_rng(seed))
    found = register(luma(dequantise(moved)), luma(dequantise(still)))
    y, x = np.mgrid[8:120:4, 8:152:4].astype(float)
    (u, v), (p, q) = found.motion(x, y), motions[1](x, y)
    return float(np.sqrt(((u - p) ** 2 + (v - q) ** 2).mean())), found.wobble


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        (Setting("noise 2", 2, noise=2), 0.02),
        (Setting("noise 10", 2, noise=10), 0.04),
        (Setting("turned", 2, degrees=2), 0.03),
        (Setting("compressed", 2, quality=80), 0.04),
        (Setting("strongly aliased", 2, psf=0.3, noise=2), 0.03),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else "",
)
def test_a_motion_is_found_to_hundredths_of_a_pixel(truth: Floats, setting: Setting, limit: float) -> None:
    error, wobble = _error(truth, setting)
    assert error < limit
    assert wobble == 0


def test_an_object_that_moves_does_not_carry_the_scene_along(truth: Floats) -> None:
    assert _error(truth, Setting("object", 2, moving=True))[0] < 0.03


def test_a_rolling_shutter_is_seen_and_followed(truth: Floats) -> None:
    error, wobble = _error(truth, Setting("rolls", 2, wobble=0.6))
    assert wobble == pytest.approx(0.6, abs=0.2)  # of two sines of 0.6 beside each other
    assert error < 0.06


def test_large_shifts_are_found(truth: Floats) -> None:
    plane = luma(truth)
    assert phase_correlation(plane[20:180, 30:230], plane[:160, :200]) == pytest.approx((30, 20), abs=0.1)
    found = register(np.ascontiguousarray(plane[20:180, 30:230]), np.ascontiguousarray(plane[:160, :200]))
    assert found.motion.matrix == pytest.approx(np.array([[1, 0, 30], [0, 1, 20]]), abs=0.01)
    assert found.correlation > 0.999


def test_another_exposure_is_no_motion(truth: Floats) -> None:
    plane = luma(truth)
    found = register(0.5 * plane + np.float32(0.1), plane)
    assert found.motion.matrix == pytest.approx(np.eye(2, 3), abs=1e-3)


def test_other_scenes_do_not_correlate(truth: Floats) -> None:
    other = np.random.default_rng(0).random(truth.shape[:2], np.float32)
    assert register(other, luma(truth)).correlation < 0.5


def test_an_affine_motion_is_found(truth: Floats) -> None:
    plane = luma(truth)
    true = Motion(np.array([[1.01, 0.004, 1.3], [-0.006, 0.985, -0.8]]))
    y, x = np.mgrid[:256, :320].astype(float)
    frame = keys(plane[..., None], *true(x, y))[..., 0].astype(np.float32)
    assert register(frame, plane).motion.matrix == pytest.approx(true.matrix, abs=0.03)
    u, v = register(frame, plane).motion(x, y)
    assert np.hypot(u - true(x, y)[0], v - true(x, y)[1])[16:-16, 16:-16].max() < 0.05


def test_a_motion_and_its_way_back() -> None:
    motion = Motion.euclidean(3.0, 1.5, -2.25, 40, 60)
    x, y = np.array([0.0, 10.5, 59.0]), np.array([0.0, 7.25, 39.0])
    assert np.array(motion.back(*motion(x, y))) == pytest.approx(np.array([x, y]))


def test_a_reduced_motion_moves_areas_alike() -> None:
    motion = Motion.euclidean(3.0, 1.5, -2.25, 40, 60)
    x, y = np.array([3.0, 21.0]), np.array([8.0, 30.0])  # of small pixels, the middles of 2 x 2 large ones
    large = np.array(motion(2 * x + 0.5, 2 * y + 0.5))
    assert 2 * np.array(motion.reduced(2)(x, y)) + 0.5 == pytest.approx(large)


def test_sampling_is_linear_between_pixels() -> None:
    plane = np.array([[0, 1, 2], [10, 11, 12]], np.float32)
    x, y = np.array([0.25, 2.0, 1.5, -4]), np.array([0.5, 1.0, 0.0, 9])
    assert sample(plane, x, y) == pytest.approx([5.25, 12, 1.5, 10])
    assert inside(plane.shape, x, y).tolist() == [True, True, True, False]

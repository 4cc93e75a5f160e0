"""The labels of degradations, beside what is measured on the images that they make."""

from __future__ import annotations

import math

import numpy as np
import pytest

from subpixel import degradations as d


def _rng(seed=0):
    return np.random.default_rng(seed)


def _spread(degradation, size=80):
    """Second moments of what becomes of a single bright pixel, in px^2."""
    pixels = np.zeros((size, size, 1), np.float32)
    pixels[size // 2, size // 2] = 1
    light = degradation.apply(pixels, _rng())[..., 0].astype(np.float64)
    light /= light.sum()
    x, y = np.arange(light.shape[1]), -np.arange(light.shape[0])[:, None]
    x, y = x - (light * x).sum(), y - (light * y).sum()
    return {"blur_xx": (light * x * x).sum(), "blur_yy": (light * y * y).sum(), "blur_xy": (light * x * y).sum()}


@pytest.mark.parametrize("blur", [
    d.GaussianBlur(2.0, 1.0, 30.0), d.GaussianBlur(0.3), d.GaussianBlur(6.0, 2.0, 100.0), d.MotionBlur(9.0, 30.0),
    d.GaussianBlur(2.0, 1.0, 60.0, 1.5, "plateau"), d.Chain((d.GaussianBlur(2.0, 1.0, 30.0), d.GaussianBlur(1.5))),
])  # fmt: skip
def test_the_labels_of_blur_are_how_far_light_spreads(blur):
    assert blur.vector() == pytest.approx(_spread(blur), abs=1e-4)


def test_the_labels_of_a_gaussian_are_its_covariance():
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    expected = {"blur_xx": 4 * c * c + s * s, "blur_yy": 4 * s * s + c * c, "blur_xy": 3 * s * c}
    assert d.GaussianBlur(2.0, 1.0, 30.0).vector() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("resized", [
    lambda blur: d.Chain((blur, d.Resize(0.5, "bilinear"))),
    lambda blur: d.Downsample(2, "bilinear", round8=False, after=blur),
    lambda blur: d.Downsample(2, "bilinear", round8=False, after=d.Chain((d.Resize(2.0, "bilinear"), blur))),
    lambda blur: d.Chain((d.Chain((d.Resize(2.0, "bilinear"), blur)), d.Resize(0.5, "bilinear"))),
])  # fmt: skip
def test_what_is_blurred_before_a_resizing_is_resized_with_it(resized):
    """The wider of two kernels spreads light by the difference of their labels more: the resizing cancels."""
    wide, narrow = resized(d.GaussianBlur(3.0, 2.5, 30.0)), resized(d.GaussianBlur(2.5, 2.0, 30.0))
    for name in ("blur_xx", "blur_yy", "blur_xy"):
        difference = wide.vector()[name] - narrow.vector()[name]
        assert difference == pytest.approx(_spread(wide)[name] - _spread(narrow)[name], abs=1e-3)
    assert wide.vector()["blur_xx"] > 0.4


@pytest.mark.parametrize(("noise", "power"), [
    (d.GaussianNoise(0.05), 0), (d.PoissonNoise(0.05), 0.5), (d.SpeckleNoise(0.05), 1),
    (d.Chain((d.GaussianNoise(0.03), d.GaussianNoise(0.04))), 0),
])  # fmt: skip
def test_the_label_of_noise_is_its_standard_deviation(noise, power):
    flat = np.full((120, 100, 3), 0.5, np.float32)
    measured = noise.apply(flat, _rng(7)).astype(np.float64).std()
    assert noise.vector() == {"noise_sigma": pytest.approx(0.05)}
    assert measured == pytest.approx(0.05 * 0.5**power, rel=5 / math.sqrt(2 * flat.size))


def test_the_last_file_and_all_resizings_count():
    chain = d.Chain((d.Jpeg(30), d.Resize(1.5), d.Downsample(3), d.Jpeg(80), d.Webp(20)))
    assert chain.vector() == {"jpeg_quality": 80, "factor": pytest.approx(0.5)}
    assert d.Chain().vector() == d.Uniform(d.Jpeg(1), d.Jpeg(9)).vector() == {}


@pytest.mark.parametrize("seed", range(8))
def test_the_labels_of_the_real_world(seed):
    labels = d.real_world(4).sample(_rng(seed)).vector()
    assert labels["factor"] == pytest.approx(0.25)
    assert 30 <= labels["jpeg_quality"] <= 95
    assert labels["noise_sigma"] >= math.hypot(0.05 / 16, 0.05 / 16)

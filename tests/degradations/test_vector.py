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


def _blur(degradation):
    return {name: value for name, value in degradation.vector().items() if name.startswith("blur_")}


@pytest.mark.parametrize("blur", [
    d.GaussianBlur(2.0, 1.0, 30.0), d.GaussianBlur(0.3), d.GaussianBlur(6.0, 2.0, 100.0), d.MotionBlur(9.0, 30.0),
    d.GaussianBlur(2.0, 1.0, 60.0, 1.5, "plateau"), d.Chain((d.GaussianBlur(2.0, 1.0, 30.0), d.GaussianBlur(1.5))),
])  # fmt: skip
def test_the_labels_of_blur_are_how_far_light_spreads(blur):
    assert _blur(blur) == pytest.approx(_spread(blur), abs=3e-3)


def test_the_labels_of_a_gaussian_are_its_covariance():
    c, s = math.cos(math.radians(30)), math.sin(math.radians(30))
    expected = {"blur_xx": 4 * c * c + s * s, "blur_yy": 4 * s * s + c * c, "blur_xy": 3 * s * c}
    assert _blur(d.GaussianBlur(2.0, 1.0, 30.0)) == pytest.approx(expected, abs=1e-4)


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
        assert difference == pytest.approx(_spread(wide)[name] - _spread(narrow)[name], abs=3e-3)
    assert wide.vector()["blur_xx"] > 0.4


_TO_CB_CR = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""JFIF's, of R, G, B."""


def _measured(degradation, value):
    """The standard deviations of Y and of Cb and Cr together, of a flat gray image."""
    low = degradation.apply(np.full((400, 400, 3), value, np.float32), _rng(7)).astype(np.float64)[8:-8, 8:-8]
    return (low @ [0.299, 0.587, 0.114]).std(), math.sqrt(np.mean([(low @ row).var() for row in _TO_CB_CR]))


_NOISE = d.GaussianNoise(0.08)


@pytest.mark.parametrize("degradation", [
    _NOISE,
    d.Chain((_NOISE, d.GaussianBlur(0.5))),
    d.Chain((_NOISE, d.GaussianBlur(2.0, 1.0, 30.0))),
    d.Chain((_NOISE, d.GaussianBlur(1.0), d.GaussianBlur(1.5))),
    d.Chain((_NOISE, d.SincBlur(1.5))),
    *(d.Chain((_NOISE, d.Resize(f, k))) for f in (0.43, 1.4) for k in ("area", "bilinear", "bicubic", "lanczos")),
    d.Chain((_NOISE, d.Resize(0.5, "nearest"))),
    d.Chain((_NOISE, d.Resize(1.5, "bilinear"), d.Resize(0.3, "bicubic"))),
    d.Chain((_NOISE, d.GaussianBlur(1.2), d.Resize(0.5, "bicubic"))),
    d.Downsample(4, round8=False, after=d.Chain((_NOISE, d.Resize(0.43, "area"), _NOISE, d.Resize(0.9)))),
])  # fmt: skip
def test_the_labels_of_noise_are_what_is_left_of_it(degradation):
    labels = degradation.vector()
    luma, chroma = _measured(degradation, 0.5)
    assert labels["noise_luma"] == pytest.approx(luma, rel=0.06)
    assert labels["noise_chroma"] == pytest.approx(chroma, rel=0.06)
    assert labels["noise_shot"] == 0


@pytest.mark.parametrize("gray", [False, True])
def test_noise_of_light_and_of_amplifiers_together(gray):
    """Variances a of the one and b x of the other, the share b / (a + b), and no colour in gray noise."""
    labels = d.Chain((d.GaussianNoise(0.03, gray), d.PoissonNoise(0.04, gray))).vector()
    scale = 1.0 if gray else math.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert labels["noise_luma"] == pytest.approx(0.05 * scale)
    assert labels["noise_shot"] == pytest.approx(16 / 25)
    assert (labels["noise_chroma"] == 0) is gray
    a, b = 0.05**2 * 9 / 25, 0.05**2 * 16 / 25
    for value in (0.3, 0.7):
        luma, _ = _measured(d.Chain((d.GaussianNoise(0.03, gray), d.PoissonNoise(0.04, gray))), value)
        assert luma == pytest.approx(scale * math.sqrt(a + b * value), rel=0.02)


def test_all_noise_of_a_gray_image_is_its_lumas():
    labels = d.Chain((d.GaussianNoise(0.03), d.Downsample(2, "nearest"))).vector(gray=True)
    assert (labels["noise_luma"], labels["noise_chroma"]) == (pytest.approx(0.03), 0)
    noisy = d.GaussianNoise(0.03).apply(np.full((300, 300, 1), 0.5, np.float32), _rng())
    assert noisy.std() == pytest.approx(0.03, rel=0.02)


@pytest.mark.parametrize("codec", [d.Jpeg(40, 3, 5), d.Webp(40)])
def test_a_file_of_other_channels_is_one_of_gray_for_each(codec):
    pixels = _rng().random((40, 33, 5), np.float32)
    result = codec.apply(pixels, _rng())
    for k in range(5):
        np.testing.assert_array_equal(result[..., k : k + 1], codec.apply(pixels[..., k : k + 1], _rng()))


def test_the_last_file_and_all_resizings_count():
    chain = d.Chain((d.Jpeg(30), d.Resize(1.5), d.Downsample(3), d.Jpeg(80), d.Webp(20)))
    labels = chain.vector()
    assert (labels["jpeg_quality"], labels["factor"]) == (80, pytest.approx(0.5))
    assert d.Chain().vector() == d.Uniform(d.Jpeg(1), d.Jpeg(9)).vector() == d.LABELS
    assert list(d.Jpeg(7).labels()) == [*list(d.LABELS.values())[:7], 7, 0]


def test_what_was_lost_by_resampling():
    """0.15 of HR on the way to 0.25: three fifths of the sides of the result."""
    smaller = d.Downsample(4, after=d.Chain((d.Resize(0.5), d.Resize(0.3), d.Resize(2.0))))
    assert smaller.vector()["resampling_loss"] == pytest.approx(0.4)
    assert d.Downsample(4, after=d.Resize(0.3)).vector()["resampling_loss"] == 0


@pytest.mark.parametrize("seed", range(8))
def test_the_labels_of_the_real_world(seed):
    labels = d.real_world(4).sample(_rng(seed)).vector()
    assert labels["factor"] == pytest.approx(0.25)
    assert 30 <= labels["jpeg_quality"] <= 95
    assert labels["noise_luma"] > 0
    assert 0 <= labels["resampling_loss"] < 1

"""PSNR, SSIM and MS-SSIM against scikit-image, hand-computed cases and published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from subpixel import resample
from subpixel.errors import BadRequest
from subpixel.metrics.protocol import Protocol, modcrop
from subpixel.metrics.psnr import psnr
from subpixel.metrics.ssim import EXPONENTS, ms_ssim, ssim


@pytest.fixture(scope="module")
def pair():
    """A photo and a noisy copy, float64 in [0, 1], of an odd size."""
    photo = astronaut()[:183, 100:307] / 255
    noise = 0.05 * np.random.default_rng(3).standard_normal(photo.shape)
    return np.clip(photo + noise, 0, 1), photo


def test_psnr_by_hand():
    a, b = np.zeros((2, 2)), np.array([[0.1, 0], [0, 0.3]])
    assert psnr(a, b) == pytest.approx(10 * math.log10(4 / 0.1))
    assert psnr(a, a + 1) == 0
    assert psnr(b, b) == math.inf


def test_psnr_is_scikit_images(pair):
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(pair[1], pair[0], data_range=1), abs=1e-10)


def test_psnr_of_float32_is_computed_in_double(pair):
    a, b = (p.astype(np.float32) for p in pair)
    assert psnr(a, b) == pytest.approx(psnr(a.astype(np.float64), b.astype(np.float64)), abs=1e-9)


def _scikit(a, b):
    """scikit-image's map, of which the authors' code keeps the places with the whole window inside."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    return structural_similarity(a, b, full=True, **options)[1][5:-5, 5:-5].mean()


def test_ssim_is_scikit_images(pair):
    a, b = pair
    assert ssim(a[..., 0], b[..., 0]) == pytest.approx(_scikit(a[..., 0], b[..., 0]), abs=1e-10)
    assert ssim(a, b) == pytest.approx(np.mean([_scikit(a[..., c], b[..., c]) for c in range(3)]), abs=1e-10)


def test_ssim_of_flat_images_is_the_luminance_term():
    a, b = np.full((11, 11), 0.2), np.full((11, 11), 0.6)
    assert ssim(a, b) == pytest.approx((2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4))


def test_ssim_of_one_window_by_hand():
    rng = np.random.default_rng(5)
    x, y = rng.random((11, 11)), rng.random((11, 11))
    line = np.exp(-np.square(np.arange(-5, 6)) / 4.5)
    w = np.outer(line, line) / line.sum() ** 2
    mx, my = (w * x).sum(), (w * y).sum()
    vx, vy, c = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum(), (w * (x - mx) * (y - my)).sum()
    expected = (2 * mx * my + 1e-4) * (2 * c + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert ssim(x, y) == pytest.approx(expected, abs=1e-12)


def test_ms_ssim_of_flat_images_is_the_luminance_of_the_last_scale():
    a, b = np.full((176, 176), 0.2), np.full((176, 176), 0.6)
    luminance = (2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4)
    assert ms_ssim(a, b) == pytest.approx(luminance**0.1333)
    assert sum(EXPONENTS) == pytest.approx(1, abs=1e-3)


def test_ms_ssim_is_the_product_over_scales(pair):
    """The same out of scipy's Gaussian filter and scikit-image's SSIM."""
    x, y = sides = [p[:176, :176, 1] for p in pair]
    product = 1.0
    for exponent in EXPONENTS[:-1]:
        product *= _contrast(x, y) ** exponent
        x, y = (p.reshape(len(p) // 2, 2, len(p) // 2, 2).mean(axis=(1, 3)) for p in (x, y))
    assert ms_ssim(*sides) == pytest.approx(product * _scikit(x, y) ** EXPONENTS[-1], abs=1e-9)


def _contrast(x, y):
    from scipy.ndimage import gaussian_filter

    def mean(p):
        return gaussian_filter(p, 1.5, truncate=3.5)

    covariance = mean(x * y) - mean(x) * mean(y)
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    return ((2 * covariance + 9e-4) / (variances + 9e-4))[5:-5, 5:-5].mean()


def test_ms_ssim_of_odd_sizes_is_near_the_even_one(pair):
    odd, even = ms_ssim(*pair), ms_ssim(*(p[:182, :206] for p in pair))
    assert odd == pytest.approx(even, abs=2e-3)
    assert odd != even


def test_equal_images(pair):
    assert ssim(pair[1], pair[1]) == pytest.approx(1)
    assert ms_ssim(pair[1], pair[1]) == pytest.approx(1)


def test_opposite_structure_is_no_number_below_zero():
    x = np.tile([0.0, 1.0], (176, 88))
    assert ssim(x, 1 - x) < -0.9
    assert ms_ssim(x, 1 - x) == 0


@pytest.mark.parametrize(
    ("metric", "shape", "message"),
    [(ssim, (10, 40), "40x10; this metric needs 11"), (ms_ssim, (175, 400), "400x175; this metric needs 176")],
)
def test_too_small(metric, shape, message):
    with pytest.raises(BadRequest, match=message):
        metric(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
def test_different_or_empty(metric):
    with pytest.raises(BadRequest, match="shape"):
        metric(np.zeros((200, 200)), np.zeros((200, 201)))
    with pytest.raises(BadRequest, match="shape"):
        metric(np.zeros((0, 5)), np.zeros((0, 5)))


@pytest.mark.parametrize(("scale", "published"), [(2, 0.9299), (3, 0.8682), (4, 0.8104)])
def test_published_ssim_of_bicubic_on_set5(shared, scale, published):
    values = []
    for path in sorted((shared / "data/bench/Set5").iterdir()):
        high = modcrop(np.asarray(Pillow.open(path)), scale)
        height, width = high.shape[:2]
        low = resample.resize(high, height // scale, width // scale) / 255
        result = np.clip(resample.resize(low, height, width), 0, 1)
        values.append(ssim(*Protocol(round8="both").prepare(result, high / 255, scale)))
    assert np.mean(values) == pytest.approx(published, abs=0.0005)

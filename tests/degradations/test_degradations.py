"""Degradations: their numbers, their replay, and their page."""

from __future__ import annotations

import io
import math
import tomllib
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from scipy.ndimage import convolve
from scipy.special import j1
from skimage.data import astronaut

from subpixel import degradations as d
from subpixel import resample
from subpixel.errors import BadRequest, RecipeError


def _rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def photo():
    return (astronaut()[:97, 180:300] / np.float32(255)).astype(np.float32)


EVERY = [
    d.Chain((d.GaussianBlur(1.0), d.GaussianNoise(0.02))),
    d.Choice((d.Jpeg(30), d.Chain()), (0.3, 0.7)),
    d.Deblurred(d.GaussianBlur(0.8), 0.2),
    d.Downsample(3, "area", False, d.GaussianBlur(1.5, 0.5, 30.0)),
    d.Fade(0.6),
    d.GaussianBlur(2.0, 0.7, 45.0, 1.5, "plateau", 15),
    d.GaussianNoise(0.1, gray=True),
    d.Jpeg(40),
    d.MotionBlur(7.5, 20.0),
    d.PoissonNoise(0.1),
    d.Resize(1.3, "bilinear"),
    d.RandomOrder((d.Jpeg(50), d.PoissonNoise(0.05))),
    d.Scratches(30.0, 0.8),
    d.Sharpen(0.7, 1.2),
    d.SincBlur(1.5),
    d.SpeckleNoise(0.2),
    d.Uniform(d.Jpeg(30), d.Jpeg(90)),
    d.Webp(30),
]


def test_every_kind_is_in_the_list_above():
    assert sorted(type(one).__name__ for one in EVERY) == sorted(d.KINDS)


@pytest.mark.parametrize("one", EVERY, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 1), (17, 8, 3)])
def test_contract(one, shape):
    pixels = _rng(1).random(shape, np.float32)
    before = pixels.copy()
    fixed = one.sample(_rng(2))
    again = eval(repr(fixed), vars(d))
    results = [x.apply(pixels, _rng(3)) for x in (fixed, fixed.sample(_rng(9)), again, d.from_dict(d.to_dict(fixed)))]
    assert results[0].dtype == np.float32
    assert results[0].shape[2] == shape[2]
    assert results[0].min() >= 0
    assert results[0].max() <= 1
    assert all(np.array_equal(results[0], other) for other in results[1:])
    assert np.array_equal(pixels, before)


# --- resizing


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_downsampling_is_resample_on_levels(photo, scale, kernel):
    levels = np.round(photo * 255).astype(np.uint8)
    height, width = (math.ceil(n / scale) for n in levels.shape[:2])
    expected = resample.resize(levels, height, width, kernel)
    assert np.array_equal(np.round(255 * d.Downsample(scale, kernel).apply(photo, _rng())), expected)


def test_the_classical_one_is_matlabs(shared):
    """The benchmark's own files, made by MATLAB."""
    for scale in (2, 3, 4):
        for path in sorted((shared / f"reference/matlab_bicubic/X{scale}").iterdir()):
            high = np.asarray(Pillow.open(shared / f"data/bench/Set5/{path.stem}.webp"))
            cut = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale] / np.float32(255)
            low = d.classical(scale).apply(cut, _rng())
            assert np.array_equal(np.round(low * 255), np.asarray(Pillow.open(path)))


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("factor", [0.37, 1.3])
def test_resizing_with_kept_weights_is_resample(photo, kernel, factor):
    size = [max(1, round(n * factor)) for n in photo.shape[:2]]
    expected = np.clip(resample.resize(photo.astype(np.float64), *size, kernel), 0, 1)
    for _ in range(2):
        np.testing.assert_allclose(d.Resize(factor, kernel).apply(photo, _rng()), expected, atol=2e-6)


def test_area_is_the_mean():
    pixels = _rng().random((6, 8, 3), np.float32)
    blocks = pixels.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(d.Downsample(2, "area", False).apply(pixels, _rng()), blocks, atol=1e-7)


def test_area_counts_parts_of_pixels():
    row = np.array([0.0, 0.3, 0.9], np.float32).reshape(1, 3, 1)
    halves = d.Resize(2 / 3, "area").apply(row, _rng())
    np.testing.assert_allclose(halves.ravel(), [0.3 * 0.5 / 1.5, (0.3 * 0.5 + 0.9) / 1.5], atol=1e-6)


def test_area_rounds_levels_once():
    pixels = np.array([[0, 1], [1, 1]], np.float32)[..., None] / np.float32(255)
    assert d.Downsample(2, "area").apply(pixels, _rng()).item() == np.float32(1 / 255)


def test_downsampling_ends_at_the_size_it_started_from(photo):
    inner = d.Chain((d.Resize(0.37), d.Resize(1.9, "area")))
    assert d.Downsample(4, after=inner).apply(photo, _rng()).shape == (25, 30, 3)
    assert d.Resize(0.5).apply(photo, _rng()).shape == (48, 60, 3)
    assert d.Resize(0.001).apply(photo, _rng()).shape == (1, 1, 3)


def test_float_downsampling_is_not_rounded(photo):
    low = d.Downsample(2, round8=False).apply(photo, _rng()) * 255
    assert np.abs(low - np.round(low)).max() > 0.4


# --- blur


KERNELS = [one for one in EVERY if hasattr(one, "kernel") and not isinstance(one, d.Downsample | d.Resize)]


@pytest.mark.parametrize("blur", KERNELS, ids=lambda one: type(one).__name__)
def test_kernels_are_odd_and_sum_to_one(blur):
    kernel = blur.kernel()
    assert kernel.shape[0] % 2 == kernel.shape[1] % 2 == 1
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


def _moments(kernel):
    """Variance to the right, variance upwards, covariance."""
    steps = np.arange(len(kernel)) - len(kernel) // 2
    x, y = steps[None, :], -steps[:, None]
    return (kernel * x * x).sum(), (kernel * y * y).sum(), (kernel * x * y).sum()


@pytest.mark.parametrize(("sigma", "sigma_y", "angle"), [(1.5, 0, 0), (2.0, 1.0, 0), (2.0, 1.0, 30), (1.2, 2.5, 100)])
def test_moments_of_gaussians(sigma, sigma_y, angle):
    turn, small = math.radians(angle), sigma_y or sigma
    expected = (
        (sigma * math.cos(turn)) ** 2 + (small * math.sin(turn)) ** 2,
        (sigma * math.sin(turn)) ** 2 + (small * math.cos(turn)) ** 2,
        (sigma**2 - small**2) * math.sin(turn) * math.cos(turn),
    )
    kernel = d.GaussianBlur(sigma, sigma_y, angle, size=41).kernel()
    assert _moments(kernel) == pytest.approx(expected, abs=1e-5)


def test_moments_of_generalised_gaussians():
    """exp(-(r/s)^(2b) / 2) has the variance s^2 2^(1/b) Gamma(2/b) / (2 Gamma(1/b)) along each axis."""
    for b in (0.8, 1.0, 2.0):
        expected = 9 * 2 ** (1 / b) * math.gamma(2 / b) / (2 * math.gamma(1 / b))
        assert _moments(d.GaussianBlur(3.0, beta=b, size=101).kernel())[0] == pytest.approx(expected, rel=2e-3)


def test_the_plateau_is_half_as_high_at_sigma():
    kernel = d.GaussianBlur(4.0, beta=2.0, profile="plateau").kernel()
    assert kernel[10, 14] / kernel[10, 10] == pytest.approx(0.5)


@pytest.mark.parametrize("angle", [0, 90, 30])
def test_moments_of_motion(angle):
    """A segment has the variance L^2 / 12; laying it down bilinearly adds 1/6 on the axes it crosses."""
    along, turn = 9**2 / 12, math.radians(angle)
    x, y, c = _moments(d.MotionBlur(9.0, angle).kernel())
    assert c == pytest.approx(along * math.sin(turn) * math.cos(turn), abs=0.06)
    assert x == pytest.approx(along * math.cos(turn) ** 2 + (angle != 90) / 6, abs=0.06)
    assert y == pytest.approx(along * math.sin(turn) ** 2 + (angle != 0) / 6, abs=0.06)


def test_motion_of_30_degrees_goes_up_to_the_right():
    kernel = d.MotionBlur(9.0, 30.0).kernel()
    assert kernel[: len(kernel) // 2, len(kernel) // 2 + 1 :].sum() > 0.3


def test_sinc_is_the_jinc():
    size, cutoff = 21, 2.0
    steps = np.arange(size) - 10
    r = np.hypot(steps[:, None], steps[None, :])
    with np.errstate(invalid="ignore"):
        expected = np.where(r > 0, cutoff * j1(cutoff * r) / (2 * np.pi * r), cutoff**2 / (4 * np.pi))
    np.testing.assert_allclose(d.SincBlur(cutoff).kernel(), expected / expected.sum(), atol=1e-12)


@pytest.mark.parametrize("blur", KERNELS, ids=lambda one: type(one).__name__)
def test_blurring_is_scipys_convolution(photo, blur):
    expected = [convolve(photo[..., c].astype(np.float64), blur.kernel(), mode="reflect") for c in range(3)]
    np.testing.assert_allclose(blur.apply(photo, _rng()), np.clip(np.stack(expected, -1), 0, 1), atol=1e-6)


# --- noise


@pytest.mark.parametrize("value", [0.25, 0.5, 0.7])
@pytest.mark.parametrize(
    ("kind", "power"), [(d.GaussianNoise, 0), (d.PoissonNoise, 1), (d.SpeckleNoise, 2)], ids=lambda k: str(k)
)
def test_the_variance_of_noise(kind, power, value):
    """sigma^2 x^power, within five standard errors of a sample variance."""
    flat = np.full((120, 100, 3), value, np.float32)
    noisy = kind(0.05).apply(flat, _rng(7)).astype(np.float64)
    expected = 0.05**2 * value**power
    assert noisy.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / flat.size))
    assert noisy.mean() == pytest.approx(value, abs=5 * math.sqrt(expected / flat.size))
    assert abs(np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1]) < 5 / math.sqrt(12000)


@pytest.mark.parametrize("kind", [d.GaussianNoise, d.PoissonNoise, d.SpeckleNoise])
def test_gray_noise_is_the_same_in_all_channels(kind):
    flat = np.broadcast_to(np.array([0.4, 0.5, 0.6], np.float32), (50, 60, 3))
    added = kind(0.03, gray=True).apply(flat, _rng()) - flat
    np.testing.assert_allclose(added[..., 0], added[..., 2], atol=1e-6)
    assert added[..., 0].std() == pytest.approx(0.03 * 0.5 ** {"G": 0, "P": 0.5, "S": 1}[kind.__name__[0]], rel=0.07)


def test_poisson_values_are_whole_photons():
    counts = d.PoissonNoise(0.2).apply(np.full((20, 20, 1), 0.3, np.float32), _rng()) * 25
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-5)


@pytest.mark.parametrize("expected", [0.4, 3.2, 5.5, 12.0, 80.0, 3000.0])
def test_photons_come_as_numpy_lets_them_come(expected):
    """Mean, variance and skewness within five standard errors of Poisson's; the shares of few photons within 1.5 %."""
    size = 200_000
    sigma = 0.9 / math.sqrt(expected)  # photons at a pixel of value 1: expected / 0.81
    flat = np.full((size, 1, 1), 0.81, np.float32)
    photons = (flat + d.PoissonNoise(sigma)._noise(flat, _rng())).ravel().astype(np.float64) / sigma**2
    centred = photons - expected
    assert abs(centred.mean()) < 5 * math.sqrt(expected / size)
    assert centred.var() == pytest.approx(expected, rel=5 * math.sqrt((2 + 1 / expected) / size))
    skewness = (centred**3).mean() / centred.var() ** 1.5
    assert skewness == pytest.approx(expected**-0.5, abs=0.03 + 5 * math.sqrt(6 / size))
    if expected < 20:
        slow, ours = (np.bincount(np.rint(x).astype(int), minlength=60) / size for x in (
            _rng(1).poisson(expected, size), photons))  # fmt: skip
        assert np.abs(slow - ours).sum() / 2 < 0.015


def test_no_noise_changes_nothing(photo):
    for kind in (d.GaussianNoise, d.PoissonNoise, d.SpeckleNoise):
        assert np.array_equal(kind(0.0).apply(photo, _rng()), photo)


# --- codecs


@pytest.mark.parametrize(("one", "name"), [(d.Jpeg(35), "JPEG"), (d.Webp(35), "WEBP")])
@pytest.mark.parametrize("channels", [1, 3])
def test_codecs_are_pillows(photo, one, name, channels):
    levels = np.round(photo[..., :channels] * 255).astype(np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(levels[..., 0] if channels == 1 else levels).save(file, name, quality=35)
    expected = np.asarray(Pillow.open(file).convert("L" if channels == 1 else "RGB")).reshape(levels.shape)
    assert np.array_equal(np.round(one.apply(photo[..., :channels], _rng()) * 255), expected)
    assert not np.array_equal(expected, levels)


def test_lower_quality_is_worse(photo):
    errors = [np.square(d.Jpeg(q).apply(photo, _rng()) - photo).mean() for q in (95, 60, 20, 5)]
    assert errors == sorted(errors)


def test_a_shifted_grid_of_blocks(photo):
    """The blocks of 8 begin 3 pixels to the right and 5 below: there the steps are, on average."""
    ramp = np.broadcast_to(np.linspace(0.2, 0.8, 96, dtype=np.float32)[None, :, None], (96, 96, 1))
    rows = d.Jpeg(5, right=5).apply(np.ascontiguousarray(ramp), _rng())[..., 0]
    steps = np.abs(np.diff(rows, axis=1)).mean(axis=0)
    assert {int(k + 1) % 8 for k in np.flatnonzero(steps > 1e-6)} == {3}
    turned = d.Jpeg(5, down=5).apply(np.ascontiguousarray(ramp.transpose(1, 0, 2)), _rng())[..., 0]
    assert np.array_equal(turned, rows.T)


# --- wear


def test_sharpening_adds_what_blur_takes(photo):
    blurred = d.GaussianBlur(1.2).apply(photo, _rng())
    expected = np.clip(photo + 0.7 * (photo - blurred), 0, 1)
    np.testing.assert_allclose(d.Sharpen(0.7, 1.2).apply(photo, _rng()), expected, atol=2e-6)
    labels = d.Chain((d.GaussianNoise(0.02), d.Sharpen(0.7, 1.2))).vector()
    noisy = d.Chain((d.GaussianNoise(0.02, gray=True), d.Sharpen(0.7, 1.2)))
    measured = noisy.apply(np.full((300, 300, 1), 0.5, np.float32), _rng()).std()
    assert noisy.vector()["noise_luma"] == pytest.approx(measured, rel=0.02)
    assert labels["blur_xx"] == 0


def test_fading_by_hand():
    pixels = np.array([[[0.0, 0.5, 1.0]]], np.float32)
    faded = d.Fade(0.5, 0.8, 0.6, 0.4).apply(pixels, _rng())
    np.testing.assert_allclose(faded.ravel(), [0.4, 0.55, 0.7], atol=1e-6)
    assert d.Fade(0.5, 0.8, 0.6, 0.4).apply(pixels[..., :1], _rng()).item() == pytest.approx(0.3)
    assert d.Chain((d.GaussianNoise(0.1, True), d.Fade(0.5))).vector()["noise_luma"] == pytest.approx(0.05)


def test_scratches_are_as_many_as_their_density_and_stand_upright():
    """Each covers a width of sqrt(2 pi) sigma, a pixel on average, of a part of the height."""
    flat = np.full((64, 100, 1), 0.5, np.float32)
    cover = np.mean([np.abs(d.Scratches(2.0, 1.0).apply(flat, _rng(k)) - 0.5).sum() / 0.5 for k in range(300)])
    assert 0.4 < cover / (2 * math.sqrt(2 * math.pi) * 64) < 0.6
    many = np.stack([d.Scratches(2.0, 1.0).apply(flat, _rng(k))[..., 0] for k in range(30)])
    assert 0 < np.abs(np.diff(many, axis=1)).mean() < np.abs(np.diff(many, axis=2)).mean() / 3
    assert np.array_equal(d.Scratches(0.0).apply(flat, _rng()), flat)


# --- distributions


def test_uniform_covers_its_range():
    draws = [d.Uniform(d.Jpeg(30), d.Jpeg(33)).sample(_rng(k)) for k in range(60)]
    assert {draw.quality for draw in draws} == {30, 31, 32, 33}
    sigmas = [d.Uniform(d.GaussianBlur(0.2), d.GaussianBlur(3.0)).sample(_rng(k)).sigma for k in range(400)]
    assert np.mean(sigmas) == pytest.approx(1.6, abs=5 * 2.8 / math.sqrt(12 * 400))
    assert min(sigmas) < 0.3
    assert max(sigmas) > 2.9


def test_choice_keeps_its_shares():
    rng = _rng(4)
    choice = d.Choice((d.Jpeg(1), d.Jpeg(2), d.Jpeg(3)), (1.0, 0.0, 3.0))
    draws = [choice.sample(rng).quality for _ in range(1000)]
    assert draws.count(2) == 0
    assert draws.count(3) == pytest.approx(750, abs=5 * math.sqrt(1000 * 0.75 * 0.25))


def test_shuffled_takes_every_step_once():
    steps = (d.Jpeg(10), d.Jpeg(20), d.Jpeg(30))
    orders = {d.RandomOrder(steps).sample(_rng(k)).steps for k in range(60)}
    assert len(orders) == 6
    assert all(set(order) == set(steps) for order in orders)


def test_a_chain_samples_its_steps():
    chain = d.Chain((d.Uniform(d.Jpeg(1), d.Jpeg(99)), d.Webp(5)))
    fixed = chain.sample(_rng(0))
    assert isinstance(fixed.steps[0], d.Jpeg)
    assert fixed.steps[1] == d.Webp(5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([2, 4]))
def test_the_real_world_replays(seed, scale):
    pixels = _rng(8).random((48, 40, 3), np.float32)
    fixed = d.real_world(scale).sample(_rng(seed))
    low = fixed.apply(pixels, _rng(seed))
    assert low.shape == (48 // scale, 40 // scale, 3)
    assert np.array_equal(low, d.from_dict(d.to_dict(fixed)).apply(pixels, _rng(seed)))
    assert np.array_equal(low, eval(repr(fixed), vars(d)).apply(pixels, _rng(seed)))
    assert not any(kind in repr(fixed) for kind in ("Uniform", "Choice"))


@pytest.mark.parametrize("name", list(d.PRESETS))
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_presets_reduce_and_tell_what_they_did(photo, name, scale):
    preset = d.PRESETS[name](scale)
    assert d.from_dict(d.to_dict(preset)) == preset
    for seed in range(6):
        fixed = preset.sample(_rng(seed))
        low, labels = fixed.apply(photo, _rng(seed)), fixed.vector()
        assert low.shape == (math.ceil(97 / scale), math.ceil(120 / scale), 3)
        assert labels["factor"] == pytest.approx(1 / scale)
        if name in ("compressed", "camera", "web", "old-photo"):
            assert 25 <= labels["jpeg_quality"] < 100
        if name in ("noisy", "camera", "old-photo"):
            assert labels["noise_luma"] > 0


def test_the_chroma_of_gray_grain_is_its_own():
    labels = [d.PRESETS["noisy"](2).sample(_rng(k)).vector() for k in range(40)]
    shares = [label["noise_chroma"] / label["noise_luma"] for label in labels]
    assert min(shares) == 0
    assert max(shares) == pytest.approx(math.sqrt(0.4101 / 0.4474), rel=1e-3)
    assert {0.0, 1.0} < {label["noise_shot"] for label in labels}


# --- the page


@pytest.mark.parametrize("one", [*EVERY, d.real_world(3)], ids=lambda one: type(one).__name__)
def test_there_and_back(one):
    assert d.from_dict(d.to_dict(one)) == one


def test_a_page_of_toml():
    page = tomllib.loads("""
    [degradation]
    kind = "Downsample"
    scale = 4
    [degradation.after]
    kind = "Uniform"
    low = { kind = "GaussianBlur", sigma = 0.5 }
    high = { kind = "GaussianBlur", sigma = 2 }
    """)
    expected = d.Downsample(4, after=d.Uniform(d.GaussianBlur(0.5), d.GaussianBlur(2.0)))
    assert d.from_dict(page["degradation"]) == expected


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"kind": "Jpg", "quality": 3}, r"degradation\.kind: unknown name 'Jpg'; did you mean 'Jpeg'\?"),
        ({}, r"degradation\.kind: missing"),
        ({"kind": 3}, r"degradation\.kind: unknown name 3"),
        ({"kind": "Jpeg", "qality": 3}, r"degradation\.qality: unknown name 'qality'; did you mean 'quality'\?"),
        ({"kind": "Jpeg"}, r"degradation\.quality: missing; Jpeg needs it"),
        ({"kind": "Jpeg", "quality": 3.5}, r"degradation\.quality: .*valid integer, not 3\.5"),
        ({"kind": "Jpeg", "quality": True}, r"degradation\.quality: .*valid integer, not True"),
        ({"kind": "Jpeg", "quality": 0}, r"degradation: quality is 0; expected 1 to 100"),
        ({"kind": "Resize", "factor": 2, "kernel": "cubic"}, r"degradation\.kernel: .*'bicubic'.*, not 'cubic'"),
        ({"kind": "Chain", "steps": {"kind": "Jpeg"}}, r"degradation\.steps: .*expected a list"),
        (
            {"kind": "Chain", "steps": [{"kind": "Jpeg", "quality": 9}, 4]},
            r"degradation\.steps\[1\]: 4; expected a table",
        ),
        (
            {"kind": "Downsample", "scale": 2, "after": {"kind": "Jpeg", "quality": 0}},
            r"degradation\.after: quality is 0",
        ),
        ({"kind": "Choice", "options": [], "weights": []}, r"options are empty"),
        ({"kind": "Choice", "options": [{"kind": "Chain"}], "weights": ["x"]}, r"degradation\.weights: .*number"),
    ],
)
def test_wrong_pages(page, message):
    with pytest.raises(RecipeError, match=message) as caught:
        d.from_dict(page)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: d.GaussianBlur(0.0), "sigma is 0.0"),
        (lambda: d.GaussianBlur(math.nan), "sigma is nan"),
        (lambda: d.GaussianBlur(1.0, -1.0), "sigma_y is -1.0"),
        (lambda: d.GaussianBlur(1.0, size=4), "size is 4; expected an odd"),
        (lambda: d.MotionBlur(0.0), "length is 0.0"),
        (lambda: d.SincBlur(-1.0), "cutoff is -1.0"),
        (lambda: d.PoissonNoise(-0.1), "sigma is -0.1"),
        (lambda: d.Jpeg(50, -1), "right and down are -1 and 0"),
        (lambda: d.Sharpen(-1.0), "amount is -1.0"),
        (lambda: d.Sharpen(1.0, 0.0), "sigma is 0.0"),
        (lambda: d.Fade(1.5), "contrast and paper are 1.5"),
        (lambda: d.Scratches(1.0, 2.0), "density and opacity are 1.0 and 2.0"),
        (lambda: d.Resize(0.0), "factor is 0.0"),
        (lambda: d.Downsample(0), "scale is 0"),
        (lambda: d.Uniform(d.Jpeg(1), d.Webp(1)), "Jpeg and Webp; expected the same kind"),
        (lambda: d.Uniform(d.Jpeg(9), d.Jpeg(1)), "quality runs from 9 to 1"),
        (lambda: d.Uniform(d.Resize(1.0, "area"), d.Resize(2.0)), "kernel runs from 'area' to 'bicubic'"),
        (lambda: d.Choice((d.Jpeg(1),), (0.5, 0.5)), "2 weights for 1 options"),
        (lambda: d.Choice((d.Jpeg(1),), (0.0,)), "expected none below 0 and one above"),
    ],
)
def test_wrong_values(make, message):
    with pytest.raises(BadRequest, match=message):
        make()


def test_every_field_is_written():
    for one in EVERY:
        assert set(d.to_dict(one)) == {"kind"} | {f.name for f in fields(one)}

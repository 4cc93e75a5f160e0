"""The protocol, and the published values of bicubic under it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from subpixel import resample
from subpixel.errors import BadRequest
from subpixel.images.samples import dequantise
from subpixel.metrics.protocol import STANDARD, Protocol, Rounding, modcrop, round8
from subpixel.metrics.psnr import psnr
from subpixel.metrics.ssim import ssim


def test_luma_of_white_black_and_red_is_matlabs():
    image = np.array([[[1, 1, 1], [0, 0, 0], [1, 0, 0]]], np.float64)
    result, reference = Protocol(shave=0).prepare(image, image, 1)
    np.testing.assert_allclose(result[0] * 255, [235, 16, 81.481], atol=1e-9)
    np.testing.assert_allclose(reference[0] * 255, [235, 16, 81], atol=1e-9)  # rgb2ycbcr(uint8([255 0 0])) is 81


def test_gray_is_compared_as_it_is():
    gray = np.linspace(0, 1, 48).reshape(6, 8, 1)
    result, _ = Protocol(shave=0, round8="none").prepare(gray, gray, 2)
    assert np.array_equal(result, gray[..., 0])


@pytest.mark.parametrize(("shave", "left"), [("scale", (6, 3)), (0, (12, 9)), (1, (10, 7))])
def test_modcrop_then_shave(shave, left):
    reference = np.zeros((14, 11, 3))
    reference[:12, :9] = np.random.default_rng(0).random((12, 9, 3))
    result = reference[:12, :9]
    both = Protocol(shave=shave, round8="none").prepare(result, reference, 3)
    assert both[0].shape == both[1].shape == left
    assert psnr(*both) == np.inf


def test_rounding_where_it_is_asked_for():
    a, b = np.full((4, 4, 1), 100.3 / 255), np.full((4, 4, 1), 100.8 / 255)
    seen = {
        how: tuple(255 * p[0, 0] for p in Protocol(shave=0, round8=how).prepare(a, b, 1))
        for how in ("none", "images", "reference", "both")
    }
    assert seen["none"] == pytest.approx((100.3, 100.8))
    assert seen["images"] == pytest.approx((100, 101))
    assert seen["reference"] == pytest.approx((100.3, 101))
    assert seen["both"] == pytest.approx((100, 101))


@pytest.mark.parametrize("rounding", ["none", "images", "reference", "both"])
@pytest.mark.parametrize(("channels", "luma"), [(1, True), (1, False), (3, False)])
def test_equal_images_of_8_bits_are_equal(channels: int, luma: bool, rounding: Rounding):
    levels = np.arange(12 * 16 * channels).astype(np.uint8).reshape(12, 16, channels)
    image = dequantise(np.concatenate([levels, 255 - levels]))
    result, reference = Protocol(luma, 0, rounding).prepare(image, image, 1)
    assert psnr(result, reference) == np.inf
    assert ssim(result, reference) == 1
    darker, _ = Protocol(luma, 0, rounding).prepare(np.nextafter(image, np.float32(0)), image, 1)
    assert rounding in ("images", "both") or psnr(darker, reference) < np.inf  # what is no level stays


def test_images_are_rounded_before_the_luma_and_lumas_after():
    red = np.full((1, 1, 3), [0.5, 0, 0])
    saved, _ = Protocol(shave=0, round8="images").prepare(red, red, 1)
    assert 255 * saved[0, 0] == pytest.approx(16 + 65.481 * 128 / 255)
    both, _ = Protocol(shave=0, round8="both").prepare(red, red, 1)
    assert 255 * both[0, 0] == pytest.approx(49)


def test_halves_are_rounded_up_and_values_clipped():
    values = np.array([-1, 0.5 / 255, 1.49 / 255, 2])
    assert np.array_equal(round8(values) * 255, [0, 1, 1, 255])


def test_rgb_keeps_the_channels():
    image = np.random.default_rng(1).random((5, 5, 3))
    result, _ = Protocol(luma=False, shave=1, round8="none").prepare(image, image, 1)
    assert np.array_equal(result, image[1:4, 1:4])


@pytest.mark.parametrize(
    ("result", "reference", "scale", "message"),
    [
        ((8, 8, 3), (12, 12, 3), 2, "shape"),
        ((8, 8, 3), (8, 8, 1), 2, "shape"),
        ((4, 4, 3), (4, 4, 3), 2, "border of 2"),
        ((1, 1, 3), (1, 3, 3), 2, "smaller than the scale 2"),
    ],
)
def test_what_cannot_be_compared(result, reference, scale, message):
    with pytest.raises(BadRequest, match=message):
        STANDARD.prepare(np.zeros(result), np.zeros(reference), scale)


def test_wrong_protocols():
    with pytest.raises(BadRequest, match="shave is -1"):
        Protocol(shave=-1)
    with pytest.raises(BadRequest, match="'luma'; expected one of none, images, reference, both"):
        Protocol(round8="luma")  # pyright: ignore[reportArgumentType]


def test_it_says_what_it_does():
    assert str(STANDARD) == "Y (BT.601), shave scale, rounded to 8 bit: reference, modcrop"
    assert str(Protocol(False, 4, "none", False)) == "RGB, shave 4 px, rounded to 8 bit: none, no modcrop"


# Bicubic on Set5 as published, and what the same enlargement gives under each rounding, to 0.001 dB.
SET5 = {2: 33.66, 3: 30.39, 4: 28.42}
VARIANTS = {
    "none": (33.684, 30.406, 28.432),
    "images": (33.678, 30.404, 28.431),
    "reference": (33.664, 30.395, 28.424),
    "both": (33.650, 30.388, 28.419),
}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_on_set5(shared, scale):
    seen: dict[str, list[float]] = {how: [] for how in VARIANTS}
    for path in sorted((shared / "data/bench/Set5").iterdir()):
        high = modcrop(np.asarray(Pillow.open(path)), scale)
        height, width = high.shape[:2]
        low = resample.resize(high, height // scale, width // scale) / np.float32(255)
        result = np.clip(resample.resize(low, height, width), 0, 1)
        for how, values in seen.items():
            values.append(psnr(*Protocol(round8=how).prepare(result, high / np.float32(255), scale)))
    means = {how: float(np.mean(values)) for how, values in seen.items()}
    assert means == pytest.approx({how: v[scale - 2] for how, v in VARIANTS.items()}, abs=0.001)
    assert means[STANDARD.round8] == pytest.approx(SET5[scale], abs=0.01)

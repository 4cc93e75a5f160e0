"""Resampling against MATLAB's own output, hand-computed weights and an independent implementation."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from subpixel.errors import BadRequest, UnknownName
from subpixel.resample import KERNELS, along_rows, rescale, resize, taps


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["baby", "bird", "butterfly", "head", "woman"])
def test_bicubic_equals_matlab_bit_by_bit(shared: Path, scale: int, name: str) -> None:
    image = np.asarray(Pillow.open(shared / f"data/bench/Set5/{name}.webp").convert("RGB"))
    height, width = (n // scale for n in image.shape[:2])
    ours = resize(image[: height * scale, : width * scale], height, width)
    theirs = np.asarray(Pillow.open(shared / f"reference/matlab_bicubic/X{scale}/{name}.png"))
    assert np.count_nonzero(ours != theirs) == 0


def test_x8_without_rounding_between_the_passes_equals_the_published_images(shared: Path) -> None:
    image = np.asarray(Pillow.open(shared / "data/bench/Set5/head.webp").convert("RGB"))
    height, width = (n // 8 for n in image.shape[:2])
    ours = resize(image[: height * 8, : width * 8].astype(np.float64), height, width)
    theirs = np.asarray(Pillow.open(shared / "reference/matlab_bicubic/X8/head.png"))
    assert np.abs(np.floor(ours.clip(0, 255) + 0.5) - theirs).max() <= 1


def test_weights_computed_by_hand() -> None:
    # x2: output pixel 1 lies at 0.25, its neighbours at distances 1.25, 0.25, 0.75, 1.75 under Keys' kernel, a = -1/2
    axis = taps(8, 16, "bicubic").between(9, 10)
    found = dict(zip(axis.indices[0].tolist(), axis.weights[0].tolist(), strict=True))
    assert found[4] == pytest.approx(0.8671875)
    assert found[5] == pytest.approx(0.2265625)
    assert found[3] == pytest.approx(-0.0703125)
    assert found[6] == pytest.approx(-0.0234375)


def test_the_border_is_mirrored_with_its_edge_repeated() -> None:
    ramp = np.arange(4.0)[:, None, None]
    # x2 bilinear: the first output lies at -0.25, between the mirrored pixel 0 and pixel 0
    assert resize(ramp, 8, 1, "bilinear")[:, 0, 0] == pytest.approx([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])


def test_reducing_averages() -> None:
    image = np.array([[0, 255], [255, 0]], np.uint8)
    assert resize(image, 1, 1, "bilinear")[0, 0] in (127, 128)
    assert resize(image.astype(float), 1, 1, "bilinear")[0, 0] == pytest.approx(127.5)


def test_nearest_repeats_pixels() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(rescale(image, 3, "nearest"), image.repeat(3, 0).repeat(3, 1))


def test_lanczos_and_bilinear_agree_with_pillow_inside() -> None:
    image = np.random.default_rng(0).random((40, 52)).astype(np.float32)
    for kernel, theirs in (("lanczos", Pillow.Resampling.LANCZOS), ("bilinear", Pillow.Resampling.BILINEAR)):
        for height, width in ((80, 104), (20, 26), (31, 77)):
            reference = np.asarray(Pillow.fromarray(image).resize((width, height), theirs))
            inside = (slice(height // 4, -height // 4), slice(width // 4, -width // 4))
            assert np.abs(resize(image, height, width, kernel) - reference)[inside].max() < 2e-5


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 90), st.sampled_from(sorted(KERNELS)))
def test_a_flat_line_stays_flat(length: int, target: int, kernel: str) -> None:
    axis = taps(length, target, kernel)
    assert axis.weights.sum(axis=1) == pytest.approx(np.ones(target))
    assert axis.indices.min() >= 0
    assert axis.indices.max() < length


def test_bands_equal_the_whole() -> None:
    image = np.random.default_rng(1).random((53, 7, 3))
    axis = taps(53, 131)
    whole = along_rows(image, axis)
    part = axis.between(40, 97)
    low, high = part.reach
    assert np.allclose(along_rows(image[low:high], part, low), whole[40:97], atol=1e-14)


def test_sizes_round_up_as_imresize_does() -> None:
    assert rescale(np.zeros((5, 7)), 0.5).shape == (3, 4)
    assert rescale(np.zeros((10, 10)), 2.7).shape == (27, 27)
    assert rescale(np.zeros((1, 1)), 0.1).shape == (1, 1)


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf])
def test_a_senseless_scale_is_refused(scale: float) -> None:
    with pytest.raises(BadRequest, match="positive"):
        rescale(np.zeros((4, 4)), scale)


def test_a_wrong_kernel_names_the_right_one() -> None:
    with pytest.raises(UnknownName, match="did you mean 'bicubic'"):
        resize(np.zeros((4, 4)), 2, 2, "bicubik")

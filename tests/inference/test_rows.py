"""The stages, against whole-image computations and hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest

from subpixel import resample
from subpixel.images import Floats, Image
from subpixel.inference.rows import AlphaRows, ArrayRows, BledRows, ResizedRows, Rows, WithAlpha
from subpixel.ports import Shape


def noise(*shape: int) -> Floats:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def pulled(rows: Rows, step: int) -> Floats:
    return np.concatenate([rows.rows(y, min(y + step, rows.shape.height)) for y in range(0, rows.shape.height, step)])


@pytest.mark.parametrize("kernel", resample.KERNELS)
@pytest.mark.parametrize("sides", [(61, 83), (5, 7), (1, 1), (40, 9), (7, 90), (23, 31)], ids=str)
def test_resized_in_bands_equals_resize(sides: tuple[int, int], kernel: str) -> None:
    pixels = noise(23, 31, 3)
    expected = np.clip(resample.resize(pixels, *sides, kernel), 0, 1)
    for step in (1, 7, 1000):
        got = pulled(ResizedRows(ArrayRows.of(Image(pixels)), *sides, kernel), step)
        np.testing.assert_allclose(got, expected, atol=3e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)], ids=str)
def test_resized_from_a_line_or_a_point(size: tuple[int, int]) -> None:
    flat = Image(np.full((*size, 1), 0.25, np.float32))
    np.testing.assert_allclose(ResizedRows(ArrayRows.of(flat), 13, 8).rows(0, 13), np.full((13, 8, 1), 0.25), atol=1e-6)


def with_alpha(colour: Floats, alpha: Floats) -> ArrayRows:
    return ArrayRows.of(Image(colour, alpha))


def test_opacity_and_joined_are_inverse_to_each_other() -> None:
    image = with_alpha(noise(6, 5, 3), np.ones((6, 5), np.float32))
    again = WithAlpha(BledRows(image, 2), AlphaRows(image))
    assert again.shape == Shape(6, 5, 3, alpha=True)
    np.testing.assert_array_equal(again.rows(1, 4), image.rows(1, 4))


def test_colour_bleeds_from_the_nearest_neighbours() -> None:
    colour, alpha = np.zeros((1, 7, 1), np.float32), np.zeros((1, 7), np.float32)
    colour[0, :, 0] = [0.8, 0.1, 0.1, 0.1, 0.4, 0.1, 0.1]
    alpha[0] = [1, 0, 0, 0, 0.5, 0, 0]
    bled = BledRows(with_alpha(colour, alpha), 3).rows(0, 1)[0, :, 0]
    e = np.exp(-np.arange(5.0))
    near = lambda left, right: (0.8 * e[left] + 0.4 * 0.5 * e[right]) / (e[left] + 0.5 * e[right])  # noqa: E731
    np.testing.assert_allclose(bled, [0.8, near(1, 3), near(2, 2), near(3, 1), 0.4, 0.4, 0.4], rtol=1e-5)


def test_far_from_anything_visible_the_colour_stays() -> None:
    colour, alpha = noise(20, 20, 3), np.zeros((20, 20), np.float32)
    alpha[0, 0] = 1
    bled = BledRows(with_alpha(colour, alpha), 4).rows(0, 20)
    np.testing.assert_array_equal(bled[5:], colour[5:])
    np.testing.assert_array_equal(bled[:, 5:], colour[:, 5:])
    np.testing.assert_allclose(bled[:5, :5], np.broadcast_to(colour[0, 0], (5, 5, 3)), rtol=1e-5)


def test_bleeding_in_bands_equals_bleeding_at_once() -> None:
    alpha = noise(50, 40)
    alpha[alpha < 0.95] = 0
    bled = BledRows(with_alpha(noise(50, 40, 3), alpha), 8)
    for step in (1, 3, 17):
        np.testing.assert_allclose(pulled(bled, step), bled.rows(0, 50), rtol=1e-5)

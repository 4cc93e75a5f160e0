"""BT.601 against MATLAB's documented values and an independent implementation."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.color

from subpixel.color import luma, to_rgb, to_ycbcr


@pytest.mark.parametrize(
    ("rgb", "y"),
    [((0, 0, 0), 16), ((1, 1, 1), 235), ((1, 0, 0), 16 + 65.481), ((0, 1, 0), 16 + 128.553), ((0, 0, 1), 16 + 24.966)],
)
def test_luma_of_the_corners_of_the_cube(rgb: tuple[float, ...], y: float) -> None:
    assert luma(np.array(rgb, float)) * 255 == pytest.approx(y)


def test_agrees_with_scikit_image() -> None:
    image = np.random.default_rng(0).random((9, 11, 3))
    assert to_ycbcr(image) * 255 == pytest.approx(skimage.color.rgb2ycbcr(image), abs=1e-9)


def test_there_and_back() -> None:
    image = np.random.default_rng(1).random((5, 4, 3)).astype(np.float32)
    back = to_rgb(to_ycbcr(image))
    assert back.dtype == np.float32
    assert back == pytest.approx(image, abs=1e-6)

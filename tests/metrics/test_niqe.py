"""NIQE against a published value, and its fit against distributions whose shape is known."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from subpixel import color
from subpixel.errors import BadRequest, BadWeights
from subpixel.images import read
from subpixel.metrics import niqe


def test_the_published_value_of_baboon(shared):
    """5.7296 is what BasicSR states for its baboon.png, the image of Set14, without a border cut off."""
    statistics = niqe.load(shared / "reference/niqe_params.npz")
    image = read(shared / "data/bench/Set14/baboon.webp")
    assert statistics(color.luma(image.pixels)) == pytest.approx(5.7296, abs=1e-4)


NPY = io.BytesIO()
np.save(NPY, np.zeros(36))


@pytest.mark.parametrize(("draw", "shape"), [("normal", 2.0), ("laplace", 1.0)])
def test_the_fit_finds_the_shape_of_a_distribution(draw: str, shape: float):
    values = getattr(np.random.default_rng(0), draw)(0.0, 1.0, 400_000)
    fitted, left, right = niqe.fit_aggd(values)
    assert fitted == pytest.approx(shape, rel=0.02)
    # the variance of a generalised Gaussian of this scale (equation 6) is that of the draws
    variance = left * right * math.gamma(3 / fitted) / math.gamma(1 / fitted)
    assert variance == pytest.approx(values.var(), rel=0.02)


def test_the_fit_tells_left_from_right():
    draws = np.random.default_rng(1).normal(0, 1, 200_000)
    _, left, right = niqe.fit_aggd(np.where(draws < 0, draws, 3 * draws))
    assert right / left == pytest.approx(3, rel=0.02)


def test_normalised_contrast_against_another_convolution():
    from scipy.ndimage import convolve

    levels = np.random.default_rng(2).normal(128, 20, (40, 50))
    y, x = np.mgrid[-3:4, -3:4]
    window = np.exp(-(x**2 + y**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    mean = convolve(levels, window, mode="nearest")
    deviation = np.sqrt(convolve(levels**2, window, mode="nearest") - mean**2)
    np.testing.assert_allclose(niqe.contrast_normalised(levels), (levels - mean) / (deviation + 1), atol=1e-9)
    assert np.abs(niqe.contrast_normalised(np.full((20, 30), 77.0))).max() < 1e-6


def test_what_cannot_be_measured_is_one_line(tmp_path):
    with pytest.raises(BadRequest, match="at least 192x192"):
        niqe.Niqe(np.zeros(36), np.eye(36))(np.zeros((191, 400)))
    noise = np.random.default_rng(0).random((192, 288))
    for light in (0.0, 0.5, np.pad(noise[:96, :96], ((0, 96), (0, 192)))):
        with pytest.raises(BadRequest, match="two blocks of 96x96 pixels are not flat"):
            niqe.Niqe(np.zeros(36), np.eye(36))(np.zeros((192, 288)) + light)
    assert math.isfinite(niqe.Niqe(np.zeros(36), np.eye(36))(noise))


@pytest.mark.parametrize("content", [b"no", b"", b"PK\3\4aaaa", NPY.getvalue()])
def test_files_of_something_else_are_one_line(content: bytes, tmp_path):
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(BadWeights, match=r"expected an \.npz with NIQE's mu_pris_param"):
        niqe.load(tmp_path / "x.npz")

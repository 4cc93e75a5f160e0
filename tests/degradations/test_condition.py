"""What a network is told, against hand-computed numbers and against the noise of real arrays."""

from __future__ import annotations

import numpy as np
import pytest

from subpixel.analysis import DegradationReport
from subpixel.condition import CONDITION
from subpixel.degradations import Chain, Degradation, Downsample, GaussianBlur, GaussianNoise, Jpeg, PoissonNoise
from subpixel.degradations.condition import condition, estimated
from subpixel.degradations.labels import LABELS


def told(degradation: Degradation) -> dict[str, float]:
    numbers = condition(degradation.labels()[None])[0]
    return {name: float(value) for name, value in zip(CONDITION, numbers, strict=True) if abs(value) > 1e-9}


def test_it_has_one_order():
    assert tuple(DegradationReport().condition()) == CONDITION


def test_the_numbers_of_single_degradations():
    assert told(Chain()) == {}
    assert told(Jpeg(40)) == pytest.approx({"jpeg": 0.8})
    assert told(GaussianNoise(5 / 255)) == pytest.approx({"noise": 0.2, "chroma_noise": 0.2}, rel=1e-5)
    assert told(GaussianNoise(10 / 255, gray=True)) == pytest.approx({"noise": 0.4}, rel=0.01)
    blur = told(Chain((GaussianBlur(2.0, 1.0, 0.0), Downsample(2))))
    assert blur == pytest.approx({"blur_xx": 1.0, "blur_yy": 0.25}, rel=0.02)


def test_what_is_stronger_than_a_network_knows_is_told_as_the_strongest():
    numbers = told(Chain((GaussianBlur(3.0, 1.5, 0.0), GaussianNoise(60 / 255), Jpeg(5))))
    assert numbers == pytest.approx(
        {"blur_xx": 2, "blur_yy": 0.5, "noise": 1, "chroma_noise": 1, "jpeg": 80 / 75}, rel=0.03
    )


def test_noise_of_light_is_what_it_is_at_mid_gray():
    gray = np.full((400, 400, 3), 0.5, np.float32)
    noisy = PoissonNoise(12 / 255).apply(gray, np.random.default_rng(0))
    numbers = told(PoissonNoise(12 / 255))
    assert numbers["shot"] == pytest.approx(1)
    assert 25 * numbers["noise"] == pytest.approx(255 * noisy.std(), rel=0.01)


def test_what_is_unknown_is_zero_with_a_flag():
    labels = Chain((GaussianBlur(1.0), GaussianNoise(5 / 255), Jpeg(40))).labels()[None]
    labels[0, [list(LABELS).index("jpeg_quality")]] = np.nan
    numbers = dict(zip(CONDITION, condition(labels)[0], strict=True))
    assert (numbers["jpeg"], numbers["jpeg_unknown"], numbers["noise_unknown"]) == (0, 1, 0)
    assert numbers["noise"] > 0.19


def test_estimates_are_off_by_what_is_said_and_unknown_as_often():
    labels = np.repeat(Chain((GaussianNoise(8 / 255), Jpeg(50))).labels()[None], 20_000, axis=0)
    guessed = estimated(labels, np.random.default_rng(0), deviation=0.2, dropout=0.1)
    quality = guessed[:, list(LABELS).index("jpeg_quality")]
    known = quality[~np.isnan(quality)]
    assert known.min() == pytest.approx(40, abs=0.1)
    assert known.max() == pytest.approx(60, abs=0.1)
    assert np.isnan(quality).mean() == pytest.approx(1 - 0.95 * 0.9, abs=0.01)
    np.testing.assert_array_equal(labels[0], Chain((GaussianNoise(8 / 255), Jpeg(50))).labels())


def test_an_estimate_misses_a_kind_of_degradation_as_often_as_is_said():
    labels = np.repeat(Chain((GaussianNoise(8 / 255), Jpeg(50))).labels()[None], 20_000, axis=0)
    guessed = estimated(labels, np.random.default_rng(0), deviation=0.0, dropout=0.0, missed=0.2)
    quality, luma = (guessed[:, list(LABELS).index(name)] for name in ("jpeg_quality", "noise_luma"))
    assert (quality == 100).mean() == pytest.approx(0.2, abs=0.01)
    assert (luma == 0).mean() == pytest.approx(0.2, abs=0.01)
    assert ((quality == 100) & (luma == 0)).mean() == pytest.approx(0.04, abs=0.01)
    assert set(np.unique(quality)) == {50, 100}

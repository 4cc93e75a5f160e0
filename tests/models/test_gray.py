"""Networks folded to gray compute the mean of what they make of three equal channels, at any size."""

from __future__ import annotations

import numpy as np
import pytest

from subpixel import models
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import Execution, on_batches, open_runtime

F32 = Execution(precision="f32")
FOLDED = ["swift-x2", "swift-x3", "swift-x4", "swift-large-x2", "fsrcnn-x2", "fsrcnn-x3", "espcn-x4"]


@pytest.mark.parametrize("name", FOLDED)
def test_a_fold_is_exact(name: str) -> None:
    model = models.load(name)
    gray = model.on_gray
    assert (gray.card.ports.inputs[0].depth, gray.card.ports.outputs[0].depth) == (1, 1)
    assert gray.card.sha256 != model.card.sha256
    y = np.random.default_rng(0).random((1, 1, 21, 17), np.float32)
    expected = on_batches(open_runtime(model, F32).run)(y.repeat(3, 1)).mean(1, keepdims=True)
    actual = on_batches(open_runtime(gray, F32).run)(y)
    np.testing.assert_allclose(actual, expected, atol=3e-6)


def test_a_told_network_is_folded_twice() -> None:
    model = models.load("restore-x2")
    assert model.card.condition
    told = dict.fromkeys(model.card.condition.values, 0.3)
    y = np.random.default_rng(1).random((1, 1, 19, 24), np.float32)
    expected = on_batches(open_runtime(model.conditioned(told), F32).run)(y.repeat(3, 1)).mean(1, keepdims=True)
    actual = on_batches(open_runtime(model.on_gray.conditioned(told), F32).run)(y)
    np.testing.assert_allclose(actual, expected, atol=3e-6)


@pytest.mark.parametrize("name", ["carn-m-x2", "edsr-base-x2", "vdsr-x2"])
def test_other_shapes_stay_as_they_are(name: str) -> None:
    model = models.load(name)
    assert model.on_gray is model


def test_gray_levels_are_computed_as_levels() -> None:
    gray = np.random.default_rng(2).integers(0, 256, (23, 30), np.uint8)
    upscaler = Upscaler("swift-x2", execution=F32)
    from_levels, from_floats = upscaler(gray), upscaler(gray.astype(np.float32) / 255)
    assert from_levels.dtype == np.uint8
    assert np.abs(from_levels - 255.0 * from_floats).max() <= 0.5 + 1e-3

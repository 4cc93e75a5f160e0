"""Along the way from one model to another of its structure: the weights, against numpy; others are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from subpixel import models
from subpixel.errors import BadRequest
from subpixel.models import store


def floats(model: models.Model) -> dict[str, NDArray[np.float32]]:
    tensors = store.parse(model.path, model.graph).graph.initializer
    return {t.name: numpy_helper.to_array(t) for t in tensors if numpy_helper.to_array(t).dtype == np.float32}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[models.Model, models.Model]:
    """restore-x2, and the same with other weights."""
    first = models.load("restore-x2")
    proto, rng = store.parse(first.path, first.graph), np.random.default_rng(0)
    for tensor in proto.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32:
            noise = rng.standard_normal(weights.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(weights + np.float32(0.01) * noise, tensor.name))
    path = tmp_path_factory.mktemp("models") / "other.onnx"
    return first, store.read(Path(path), store.with_card(proto, first.card))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_difference_is_added_to_each_weight(share: float, pair: tuple[models.Model, models.Model]):
    """From where the way begins, and from a third model, which keeps what it has beyond that."""
    start, end = pair
    third = models.load("restore-blind-x2")
    for begin in (start, third):
        blended, own, first, last = map(floats, (begin.with_difference(start, end, share), begin, start, end))
        assert blended.keys() == own.keys()
        for name, weights in blended.items():
            np.testing.assert_allclose(weights, own[name] + share * (last[name] - first[name]), rtol=1e-5, atol=1e-6)


def test_both_ends_are_the_models_themselves(pair: tuple[models.Model, models.Model]):
    start, end = pair
    for share, model in ((0.0, start), (1.0, end)):
        blended, expected = floats(start.with_difference(start, end, share)), floats(model)
        for name, weights in blended.items():
            np.testing.assert_array_equal(weights, expected[name])


def test_it_is_a_model_of_its_own(pair: tuple[models.Model, models.Model], tmp_path: Path):
    """Its digest is that of its own weights, and it can be told a condition."""
    between = pair[0].with_difference(*pair, 0.5)
    assert between.card.sha256 not in (pair[0].card.sha256, pair[1].card.sha256)
    (tmp_path / "x.onnx").write_bytes(between.graph)
    assert between.card.condition is not None
    told = models.load(tmp_path / "x.onnx").conditioned(dict.fromkeys(between.card.condition.values, 0.0))
    assert told.card.condition is None


def test_another_structure_is_refused(pair: tuple[models.Model, models.Model]):
    with pytest.raises(BadRequest, match="restore-x2, restore-x2 and restore-x4 are not of one structure"):
        pair[0].with_difference(pair[0], models.load("restore-x4"), 0.5)

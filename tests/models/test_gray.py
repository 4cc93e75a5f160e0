"""Networks folded to gray compute the mean of what they make of three equal channels, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from subpixel import models
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import Execution, on_batches, open_runtime

F32 = Execution(precision="f32")
FOLDED = ["swift-x2", "swift-x3", "swift-x4", "swift-large-x2", "fsrcnn-x2", "fsrcnn-x3", "espcn-x4"]


def exactly(model: models.Model, low: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a graph computes in double precision, by onnx's own reference: the same on every processor."""
    proto = ModelProto.FromString(model.graph)
    held = [attribute.t for node in proto.graph.node for attribute in node.attribute if attribute.HasField("t")]
    for tensor in (*proto.graph.initializer, *held):
        if tensor.data_type == TensorProto.FLOAT:
            numbers = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    for node in proto.graph.node:
        for attribute in node.attribute if node.op_type == "Cast" else ():
            attribute.i = TensorProto.DOUBLE if attribute.i == TensorProto.FLOAT else attribute.i
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    del proto.graph.value_info[:]
    (high,) = ReferenceEvaluator(proto).run(None, {"low": low})
    return np.asarray(high)


@pytest.mark.parametrize("name", FOLDED)
def test_a_fold_is_exact(name: str) -> None:
    model = models.load(name)
    gray = model.on_gray
    assert (gray.card.ports.inputs[0].depth, gray.card.ports.outputs[0].depth) == (1, 1)
    assert gray.card.sha256 != model.card.sha256
    y = np.random.default_rng(0).random((1, 1, 21, 17))
    expected = exactly(model, y.repeat(3, 1)).mean(1, keepdims=True)
    np.testing.assert_allclose(exactly(gray, y), expected, atol=5e-7)  # the folded weights are in single precision


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

"""Networks from .pb files compute what OpenCV computes with them, or what the formulas say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from written_graphs import const, conv

from subpixel.errors import BadWeights
from subpixel.imports import graphdef, tensorflow
from subpixel.imports.graphdef import Node
from subpixel.inference.upscaler import Upscaler
from subpixel.models import store
from subpixel.runtimes import Execution, on_batches, open_runtime

START = Node("IteratorGetNext", "Placeholder", (), {"dtype": 1})
END = [const("order", [0, 3, 1, 2]), Node("NCHW_output", "Transpose", ("last", "order"))]


def _saved(folder: Path, nodes: list[Node]) -> Path:
    path = folder / "Net_x2.pb"
    path.write_bytes(graphdef.write(nodes))
    return path


def _tail(x: str, channels: int = 1) -> list[Node]:
    """A sub-pixel convolution that repeats channel 0 of x, and the output."""
    kernel = np.zeros((1, 1, channels, 4))
    kernel[0, 0, 0] = 1
    shuffle = Node("last", "DepthToSpace", ("up",), {"block_size": 2, "data_format": b"NHWC"})
    return [*conv("up", x, kernel, np.zeros(4)), shuffle, *END]


def _luma_of(path: Path, gray: int) -> float:
    """The level that the network makes of a gray pixel: all of it is luma."""
    runtime = open_runtime(tensorflow.load(path), Execution("openvino", "f32"))
    result = on_batches(runtime.run)(np.full((1, 3, 1, 1), gray / 255, np.float32))
    assert result.shape == (1, 3, 2, 2)
    assert np.ptp(result) < 1e-6
    return float(result[0, 0, 0, 0] * 255)


def test_an_activation_of_sums_becomes_one_prelu(tmp_path: Path) -> None:
    """relu(x) + alpha (x - |x|) 0.5, in any order of the factors: the slope of what is negative is alpha."""
    nodes = [START, *conv("x", "IteratorGetNext", -np.ones((1, 1, 1, 1)), np.zeros(1)), const("alpha", [-0.25])]
    nodes += [const("half", 0.5), Node("relu", "Relu", ("x",)), Node("abs", "Abs", ("x",))]
    nodes += [
        Node("sub", "Sub", ("x", "abs")),
        Node("mul", "Mul", ("alpha", "sub")),
        Node("m2", "Mul", ("mul", "half")),
    ]
    path = _saved(tmp_path, [*nodes, Node("act", "Add", ("relu", "m2")), *_tail("act")])
    assert _luma_of(path, 100) == pytest.approx(25, abs=1e-3)  # -0.25 times -100
    ops = [n.op_type for n in onnx.load_from_string(tensorflow.load(path).graph).graph.node]
    assert ops.count("PRelu") == 1
    assert not {"Relu", "Abs"} & set(ops)


def test_a_leaky_relu_as_lapsrn_writes_it(tmp_path: Path) -> None:
    nodes = [START, *conv("x", "IteratorGetNext", -np.ones((1, 1, 1, 1)), np.ones(1)), const("minus", -1.0)]
    nodes += [const("slope", 0.2), Node("neg", "Mul", ("minus", "x")), Node("r1", "Relu", ("neg",))]
    nodes += [Node("low", "Mul", ("slope", "r1")), Node("r0", "Relu", ("x",)), Node("act", "Sub", ("r0", "low"))]
    path = _saved(tmp_path, [*nodes, *_tail("act")])
    assert _luma_of(path, 55) == pytest.approx(200, abs=1e-3)  # 1 - 55/255 is positive and stays


def test_same_padding_of_even_kernels_puts_the_odd_pixel_last(tmp_path: Path) -> None:
    kernel = np.zeros((4, 4, 1, 4))
    kernel[1, 1] = 1  # with one pixel before and two behind this is the identity
    up = [*conv("up", "IteratorGetNext", kernel, np.zeros(4)), Node("last", "DepthToSpace", ("up",), {"block_size": 2})]
    model = tensorflow.load(_saved(tmp_path, [START, *up, *END]))
    low = np.random.default_rng(0).random((1, 1, 3, 4), dtype=np.float32).repeat(3, axis=1)
    high = on_batches(open_runtime(model, Execution("openvino", "f32")).run)(low)
    np.testing.assert_allclose(high, low.repeat(2, axis=2).repeat(2, axis=3), atol=1e-6)
    assert model.card.halo == 2


def test_depth_to_space_has_tensorflows_order(tmp_path: Path) -> None:
    """Depth index = (row 2 + column) channels + channel; PyTorch's shuffle has the channel first."""
    kernel = np.zeros((1, 1, 3, 12))
    nodes = [START, *conv("up", "IteratorGetNext", kernel, np.arange(12.0))]
    nodes += [Node("last", "DepthToSpace", ("up",), {"block_size": 2}), *END]
    high = on_batches(open_runtime(tensorflow.load(_saved(tmp_path, nodes)), Execution("openvino", "f32")).run)(
        np.zeros((1, 3, 1, 1), np.float32)
    )
    mean = np.array([103.1545782, 111.561547, 114.35629928])
    levels = high[0].transpose(1, 2, 0)[..., ::-1] * 255 - mean  # blue, green, red
    np.testing.assert_allclose(levels, np.arange(12).reshape(2, 2, 3), atol=1e-4)


def test_the_card_counts_and_measures(shared: Path) -> None:
    card = tensorflow.load(shared / "reference/weights/opencv_pb/FSRCNN_x3.pb").card
    body = 25 * 56 + 56 * 12 + 4 * 9 * 12 * 12 + 12 * 56 + 56 * 9  # weights, each used once a low-resolution pixel
    rest = 2 * (56 + 12 + 4 * 12 + 56) + 1  # biases and slopes
    assert (card.name, card.scale, card.halo, card.widest) == ("fsrcnn-x3", 3, 2 + 4, 56)
    assert (card.parameters, card.macs) == (body + rest, round(body / 9, 1))


def test_the_model_is_a_valid_file_that_loads(edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    model = tensorflow.load(_saved(tmp_path, edsr(2)))
    (tmp_path / "net-x2.onnx").write_bytes(model.graph)
    onnx.checker.check_model(onnx.load_from_string(model.graph), full_check=True)
    again = store.load(tmp_path / "net-x2.onnx")
    assert again.card == model.card
    assert again.card.halo == 7 + 1  # 3x3 convolutions: 7 at low resolution, 1 at twice that


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_halo_makes_tiles_exact(edsr: Callable[[int], list[Node]], scale: int, tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(tensorflow.load(_saved(tmp_path, edsr(scale))).graph)
    photo = np.random.default_rng(1).random((45, 50, 3))
    whole, tiled = (
        Upscaler(tmp_path / "net.onnx", tile=t, execution=Execution(precision="f32"))(photo) for t in (0, 16)
    )
    assert np.abs(whole - tiled).max() < 2e-6


def _damaged(nodes: list[Node], name: str, **changes: Any) -> list[Node]:
    found = next(n for n in nodes if n.name == name)
    fields = {"op": found.op, "inputs": found.inputs, "attributes": found.attributes} | changes
    return [Node(n.name, **fields) if n is found else n for n in nodes]


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "a kernel for other channels": (
        "body/w",
        {"attributes": {"value": np.ones((3, 3, 5, 8), np.float32)}},
        "does not fit 8",
    ),
    "a kernel with two axes": ("body/w", {"attributes": {"value": np.ones((3, 3), np.float32)}}, "does not fit 8"),
    "a bias of another length": ("body/b", {"attributes": {"value": np.ones(7, np.float32)}}, "does not fit 8"),
    "weights that are no numbers": ("body/b", {"attributes": {"value": np.full(8, np.nan, np.float32)}}, "not finite"),
    "a stride": ("body/c", {"attributes": {"strides": (1, 2, 2, 1), "padding": b"SAME"}}, "strides"),
    "valid padding": ("body/c", {"attributes": {"strides": (1, 1, 1, 1), "padding": b"VALID"}}, "padding"),
    "a shuffle that does not divide": ("d0", {"attributes": {"block_size": 3}}, "shuffled by 3"),
    "a shuffle by a thousand": ("d0", {"attributes": {"block_size": 1000}}, "shuffled by 1000"),
    "another operation": ("r0", {"op": "Softmax"}, "is a Softmax"),
    "another transposition": ("order", {"attributes": {"value": np.array([0, 1, 2, 3], np.int32)}}, "transposes by"),
    "inputs that do not fit": ("skip", {"inputs": ("body", "IteratorGetNext")}, "8 channels at x1, 3 at x1"),
    "no input": ("r0", {"inputs": ()}, "needs one value"),
    "an inverted activation": ("s0", {"attributes": {"value": np.float32(np.nan).reshape(1)}}, "not finite"),
    "no enlargement": ("NCHW_output", {"inputs": ("head", "order")}, "8 channels at x1; expected 3, larger"),
    "a second placeholder": ("head/c", {"inputs": ("head/w", "head/w")}, "expected one placeholder"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_graphs_are_refused(name: str, edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    node, changes, why = WRONG[name]
    with pytest.raises(BadWeights, match=why) as caught:
        tensorflow.load(_saved(tmp_path, _damaged(edsr(2), node, **changes)))
    assert "\n" not in str(caught.value)


def test_a_graph_of_something_else_is_refused(edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="no node NCHW_output"):
        tensorflow.load(_saved(tmp_path, [START]))
    with pytest.raises(BadWeights, match="no node nowhere"):
        tensorflow.load(_saved(tmp_path, edsr(2)), "nowhere")


def test_one_file_for_all_runtimes(edsr: Callable[[int], list[Node]], opencv: ModuleType, tmp_path: Path) -> None:
    model = tensorflow.load(_saved(tmp_path, edsr(3)))
    low = np.random.default_rng(3).random((1, 3, 9, 11), dtype=np.float32)
    ours = on_batches(open_runtime(model, Execution("openvino", "f32")).run)(low)
    np.testing.assert_allclose(on_batches(open_runtime(model, Execution("onnxruntime")).run)(low), ours, atol=1e-5)

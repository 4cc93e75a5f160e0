"""Models of strangers: any card with any graph gives a result of the right shape, all computed, or one line, soon."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from subpixel import models
from subpixel.errors import BadRequest, BadWeights
from subpixel.inference import Upscaler
from subpixel.models import Card, store
from subpixel.models.graph import OPERATORS
from subpixel.ports import Ports
from subpixel.runtimes import MODULES, Execution, open_runtime

RNG = np.random.default_rng(0)
SECONDS = 10
"""Of the processor: no file may take longer, loading and running together."""


def node(op: str, inputs: list[str], output: str = "high", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, [output], **attributes)


def constant(name: str, values: Any, kind: type = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, kind), name)


def enlarging() -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """A convolution and a shuffle: an honest network of x2."""
    kernel = RNG.normal(0, 0.1, (12, 3, 3, 3))
    nodes = [
        node("Conv", ["low", "w"], "phases", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("DepthToSpace", ["phases"], blocksize=2),
    ]
    return nodes, [constant("w", kernel)]


def graph_of(
    nodes: list[onnx.NodeProto], tensors: list[TensorProto], high: tuple[Any, ...] = ("n", 3, "H", "W")
) -> onnx.ModelProto:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("low", ("n", 3, "h", "w")), ("high", high))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def values_of(**changes: Any) -> dict[str, Any]:
    usual = {"name": "odd-x2", "arch": "odd", "config": {}, "scale": 2, "halo": 1, "parameters": 324, "macs": 81.0}
    return usual | {"widest": 12, "licence": "none", "paper": "none"} | changes


def written(folder: Path, proto: onnx.ModelProto, **changes: Any) -> Path:
    """A model file with a digest that is right, whatever its card says."""
    card: Any = Card.model_construct
    card = card(**{"ports": Ports.enlarging(2), "scores": ()} | values_of(**changes))
    path = folder / "odd.onnx"
    path.write_bytes(store.with_card(proto, card))
    return path


def refuse(path: Path, size: tuple[int, int] = (9, 7)) -> str:
    """The line with which a file is refused, while it is loaded or run, within seconds."""
    begun = time.process_time()
    with pytest.raises(BadWeights) as caught, Upscaler(path, execution=Execution("openvino", "f32", 1)) as upscaler:
        upscaler(np.zeros((*size, 3), np.float32))
    assert time.process_time() - begun < SECONDS
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 400 + len(str(path))
    return line


def test_the_honest_one_runs(tmp_path: Path) -> None:
    path = written(tmp_path, graph_of(*enlarging()))
    assert Upscaler(path)(np.zeros((9, 7, 3), np.uint8)).shape == (18, 14, 3)


# ---- files ----------------------------------------------------------------------------------------


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.onnx")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    for name in ("fifo", "folder", "zero"):
        assert "it is no file" in refuse(tmp_path / f"{name}.onnx")


def test_weights_that_are_no_file_are_refused(tmp_path: Path) -> None:
    nodes, (kernel,) = enlarging()
    for name in ("fifo.weights", "secret.txt", "../up.weights", "/dev/zero", ".."):
        place_outside(kernel, name)
        path = written(tmp_path, graph_of(nodes, [kernel]))
        if not (tmp_path / "fifo.weights").exists():
            os.mkfifo(tmp_path / "fifo.weights")
        assert "no such file" in refuse(path) or "expected a .weights file beside it" in refuse(path)


def outside() -> TensorProto:
    tensor = constant("t", [[[1.0]], [[2.0]], [[3.0]]])
    place_outside(tensor, "secret.weights")
    return tensor


def place_outside(tensor: TensorProto, name: str) -> None:
    length = 4 * math.prod(tensor.dims)
    tensor.raw_data = bytes(length)
    external_data_helper.set_external_data(tensor, name, offset=0, length=length)
    tensor.ClearField("raw_data")


def branch(*nodes: onnx.NodeProto) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "b", [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)])


def nested(depth: int) -> onnx.GraphProto:
    inner = node("Identity", ["low"], "x") if depth == 0 else node("If", ["c"], "x", then_branch=nested(depth - 1))
    return branch(inner)


def sparse() -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(constant("v", [1.0]), constant("i", [0], np.int64), [3])


BAD_NODES: dict[str, Callable[[], list[onnx.NodeProto]]] = {
    "reads a tensor from another file": lambda: [
        node("Constant", [], "t", value=outside()), node("Add", ["low", "t"])],
    "holds the operator 'If'": lambda: [node("If", ["c"], then_branch=nested(20), else_branch=nested(20))],
    "holds the operator 'Loop'": lambda: [
        node("Loop", ["n"], body=branch(node("Constant", [], "t", value=outside())))],
    "holds the operator 'Scan'": lambda: [node("Scan", ["low"], body=branch(), num_scan_inputs=1)],
    "its Relu holds a graph": lambda: [node("Relu", ["low"], body=branch())],
    "its Constant holds a graph, or tensors that are sparse": lambda: [
        node("Constant", [], "t", sparse_value=sparse()), node("Add", ["low", "t"])],
    "holds the operator 'RandomNormalLike'": lambda: [node("RandomNormalLike", ["low"])],
    "holds the operator 'Relu'": lambda: [node("Relu", ["low"], domain="com.microsoft")],
    "its graph is wrong": lambda: [node("Cast", [], to=1)],
    "Nodes in a graph must be topologically sorted": lambda: [node("Relu", ["nothing"])],
    "does not enlarge 'high'": lambda: [node("Identity", ["low"])],
    "far wider": lambda: [
        node("Concat", [x, x], y, axis=1) for x, y in
        zip(["low", *(f"c{k}" for k in range(30))], [*(f"c{k}" for k in range(30)), "high"], strict=True)],
}  # fmt: skip


@pytest.mark.parametrize("words", BAD_NODES)
def test_bad_nodes(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret.weights").write_bytes(np.array([1, 2, 3], np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    assert words in refuse(written(tmp_path, graph_of(BAD_NODES[words](), [])))


@pytest.mark.parametrize("op", ["GatherND", "GatherElements", "ScatterElements"])
def test_operators_that_reach_beyond_a_tensor(op: str, tmp_path: Path) -> None:
    """OpenVINO gave the memory behind the image as the result, or overwrote it."""
    inputs = ["low", "i", *(["u"] if op == "ScatterElements" else [])]
    tensors = [constant("i", [[[[1000000]]]], np.int64), constant("u", [[[[1.0]]]])]
    assert f"holds the operator '{op}'" in refuse(written(tmp_path, graph_of([node(op, inputs)], tensors)))


def test_sparse_initializers_and_functions(tmp_path: Path) -> None:
    proto = graph_of(*enlarging())
    proto.graph.sparse_initializer.append(sparse())
    assert "sparse" in refuse(written(tmp_path, proto))
    proto = graph_of(*enlarging())
    proto.functions.add(name="f", domain="d")
    assert "functions" in refuse(written(tmp_path, proto))


@pytest.mark.parametrize(
    ("kind", "dims", "words"),
    [
        (TensorProto.FLOAT, [12, 3, 3, 4], "has not the numbers its shape needs"),
        (TensorProto.FLOAT, [12, 3, 3, -1], "is no array of numbers"),
        (TensorProto.FLOAT, [12, 3, 3, 3, 0], "has not the numbers its shape needs"),
        (TensorProto.FLOAT, [1 << 20, 1 << 20], "more than 1 GiB"),
        (TensorProto.FLOAT16, [12, 3, 3, 3], "has not the numbers its shape needs"),
        (TensorProto.STRING, [12, 3, 3, 3], "is no array of numbers"),
        (99, [12, 3, 3, 3], "is no array of numbers"),
    ],
)
def test_tensors_with_wrong_shapes(kind: int, dims: list[int], words: str, tmp_path: Path) -> None:
    nodes, (kernel,) = enlarging()
    kernel.data_type, kernel.dims[:] = kind, dims
    assert words in refuse(written(tmp_path, graph_of(nodes, [kernel])))


def test_two_tensors_of_one_name(tmp_path: Path) -> None:
    nodes, (kernel,) = enlarging()
    assert "have one name" in refuse(written(tmp_path, graph_of(nodes, [kernel, kernel])))


def test_the_seal_covers_every_constant(tmp_path: Path) -> None:
    nodes, tensors = enlarging()
    nodes.insert(0, node("Constant", [], "t", value=constant("t", [0.25])))
    proto = graph_of(
        [*nodes[:-1], node("DepthToSpace", ["phases"], "x", blocksize=2), node("Add", ["x", "t"])], tensors
    )
    path = written(tmp_path, proto)
    models.load(path)
    proto.graph.node[0].attribute[0].t.CopyFrom(constant("t", [0.5]))
    bad = onnx.load(path)
    bad.graph.CopyFrom(proto.graph)
    path.write_bytes(bad.SerializeToString())
    assert "sha256" in refuse(path)


# ---- cards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": 0}, {"scale": -2}, {"scale": 10**9}, {"halo": -1}, {"halo": 10**9}, {"tile_stride": 0},
        {"tile_stride": 4}, {"fixed_size": -1}, {"fixed_size": 2}, {"fixed_size": 10**9}, {"widest": 0},
        {"widest": 10**12}, {"macs": float("inf")}, {"macs": float("nan")}, {"hours": float("nan")}, {"steps": -1},
        {"name": "../../odd-x2"}, {"name": "/etc/odd-x2"}, {"name": "odd\nx2"}, {"name": ".odd"}, {"name": ""},
        {"name": "a\\b"}, {"paper": "\x1b[2J"}, {"config": {"layers": 10**9}}, {"config": {"a": {"b": 1}}},
        {"config": {"a": [1, "\x07"]}}, {"ports": Ports.enlarging(3)}, {"scale": 3},
    ],
    ids=str,
)  # fmt: skip
def test_cards_that_no_model_has(changes: dict[str, Any], tmp_path: Path) -> None:
    assert "its card is wrong at" in refuse(written(tmp_path, graph_of(*enlarging()), **changes))


def test_cards_that_nest_for_ever(tmp_path: Path) -> None:
    proto = graph_of(*enlarging())
    for text in ("[" * 10**5, '{"config":' * 10**5, "{}", "null", '"' + "x" * 10**6):
        proto.metadata_props.add(key=store.KEY, value=text)
        (tmp_path / "a.onnx").write_bytes(proto.SerializeToString())
        assert "its card is wrong" in refuse(tmp_path / "a.onnx")
        del proto.metadata_props[:]


@pytest.mark.parametrize("runtime", MODULES)
def test_a_network_that_the_weights_are_not(runtime: str, tmp_path: Path) -> None:
    """torch builds what the card says; the others never look."""
    huge = {"scale": 2, "channels": 1024, "layers": 256}
    path = written(tmp_path, graph_of(*enlarging()), arch="swift", config=huge)
    upscaler = Upscaler(path, execution=Execution(runtime, "f32", 1))
    if runtime != "torch":
        assert upscaler(np.zeros((9, 7, 3), np.uint8)).shape == (18, 14, 3)
        return
    begun = time.process_time()
    with pytest.raises(BadWeights, match=r"its card has a swift of .* weights, it has 324"):
        upscaler(np.zeros((9, 7, 3), np.uint8))
    assert time.process_time() - begun < SECONDS


# ---- card and graph that disagree ------------------------------------------------------------------


DISAGREE: dict[str, Callable[[], tuple[onnx.ModelProto, dict[str, Any]]]] = {
    "its graph does not enlarge 'high' 3 times": lambda: (
        graph_of(*enlarging()), {"scale": 3, "ports": Ports.enlarging(3)}),
    "type or shape of 'high'": lambda: (graph_of(*enlarging(), high=("n", 3, 18, 14)), {}),
    "type or shape of 'low'": lambda: (graph_of(*enlarging()), {"ports": _of_depth(4)}),
    "wider than the 1 channels": lambda: (_wide(1 << 13), {"widest": 1}),
    "has the outputs": lambda: (graph_of(*enlarging()), {"ports": _named("higher")}),
}  # fmt: skip


def _of_depth(channels: int) -> Ports:
    ports = Ports.enlarging(2)
    return Ports((type(ports.inputs[0])("low", channels=channels),), ports.outputs)


def _named(name: str) -> Ports:
    ports = Ports.enlarging(2)
    return Ports(ports.inputs, (type(ports.inputs[0])(name, scale=2),))


def _wide(channels: int) -> onnx.ModelProto:
    nodes, tensors = enlarging()
    wide = [node("Tile", ["low", "times"], "many"), node("Slice", ["many", "zero", "three", "one"], "few")]
    nodes[0].input[0] = "few"
    sizes = {"times": [1, channels, 1, 1], "zero": [0], "three": [3], "one": [1]}
    return graph_of([*wide, *nodes], [*tensors, *(constant(n, v, np.int64) for n, v in sizes.items())])


@pytest.mark.parametrize("words", DISAGREE)
def test_card_and_graph_disagree(words: str, tmp_path: Path) -> None:
    proto, changes = DISAGREE[words]()
    assert words in refuse(written(tmp_path, proto, **changes))


def test_sides_that_are_written_down_are_not_executed_with_others(tmp_path: Path) -> None:
    """OpenVINO reshapes what has fewer numbers all the same, and reads and writes beyond its end."""
    nodes, tensors = enlarging()
    nodes[0].input[0] = "cut"
    cut = [node("Reshape", ["low", "sides"], "cut"), *nodes]
    path = written(tmp_path, graph_of(cut, [*tensors, constant("sides", [1, 3, 32, 32], np.int64)]))
    exact = Execution("openvino", "f32", 1)
    assert Upscaler(path, tile=0, execution=exact)(np.zeros((32, 32, 3), np.float32)).shape == (64, 64, 3)
    for kind in (np.float32, np.uint8):
        with pytest.raises(BadWeights, match="openvino cannot run it: Check ") as caught:
            Upscaler(path, tile=0, execution=exact)(np.zeros((9, 7, 3), kind))
        assert "promises" not in str(caught.value)  # which is found when it has run


def _by_values(nodes: list[onnx.NodeProto]) -> onnx.ModelProto:
    """A graph whose result has a shape that no inference knows: it hangs on a pixel."""
    honest, tensors = enlarging()
    honest[-1].output[0] = "right"
    sizes = [constant("minus", [-1], np.int64), constant("axis", 0, np.int64), constant("one", [1.0])]
    return graph_of([*honest, *nodes], [*tensors, *sizes])


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("levels", [True, False])
def test_a_shape_that_is_found_out_when_it_runs(runtime: str, levels: bool, tmp_path: Path) -> None:
    """The rows that the result lacks held what memory held before: another image."""
    number = [
        node("ReduceMax", ["low"], "most", keepdims=0), node("Cast", ["most"], "count", to=TensorProto.INT64),
        node("Reshape", ["count", "minus"], "end"), node("Sub", ["end", "minus"], "end1"),
        node("Slice", ["right", "zero", "end1", "two"]),
    ]  # fmt: skip
    proto = _by_values(number)
    proto.graph.initializer.extend([constant("zero", [0], np.int64), constant("two", [2], np.int64)])
    path = written(tmp_path, proto)
    with Upscaler(path, execution=Execution(runtime, "f32", 1)) as upscaler:
        image = np.zeros((9, 7, 3), np.uint8 if levels else np.float32)
        with pytest.raises(BadWeights, match="its card promises"):
            upscaler(image)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("levels", [True, False])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite(runtime: str, levels: bool, number: float, tmp_path: Path) -> None:
    nodes, tensors = enlarging()
    nodes[-1].output[0] = "right"
    proto = graph_of([*nodes, node("Add", ["right", "bad"])], [*tensors, constant("bad", [number])])
    with Upscaler(written(tmp_path, proto), execution=Execution(runtime, "f32", 1)) as upscaler:
        image = np.zeros((9, 7, 3), np.uint8 if levels else np.float32)
        with pytest.raises(BadWeights, match="not finite"):
            upscaler(image)


def test_a_model_that_does_not_enlarge_is_no_upscaler(tmp_path: Path) -> None:
    proto = graph_of([node("ReduceMean", ["low"], axes=[2, 3], keepdims=0)], [], ("n", 3))
    low = Ports.enlarging(2).inputs
    path = written(tmp_path, proto, ports=Ports(low, (type(low[0])("high", "vector"),)))
    assert open_runtime(models.load(path)).run({"low": np.ones((1, 3, 4, 5), np.float32)})["high"].shape == (1, 3)
    with pytest.raises(BadRequest, match="no network from one image to a larger one"):
        Upscaler(path)(np.zeros((9, 7, 3), np.uint8))


# ---- any card with any graph -----------------------------------------------------------------------

_NUMBERS = st.sampled_from([0, 1, -1, 2, 3, 4, 7, 12, 2**31, 2**62])
_OPS = st.sampled_from(sorted(OPERATORS))
_KNOWN = {
    "axis": _NUMBERS, "blocksize": _NUMBERS, "to": st.sampled_from([1, 6, 7, 9, 10, 11]), "alpha": st.floats(width=32),
    "kernel_shape": st.lists(_NUMBERS, max_size=3), "pads": st.lists(_NUMBERS, max_size=4), "group": _NUMBERS,
    "strides": st.lists(_NUMBERS, max_size=2), "perm": st.lists(_NUMBERS, max_size=4), "keepdims": _NUMBERS,
    "mode": st.sampled_from(["linear", "cubic", "DCR", "reflect", "wild"]), "axes": st.lists(_NUMBERS, max_size=3),
}  # fmt: skip


@st.composite
def any_graph(draw: st.DrawFn) -> onnx.ModelProto:
    """Nodes at random behind an honest network, or in its place, reading what was computed before."""
    nodes, tensors = enlarging() if draw(st.booleans()) else ([], [])
    nodes = [*nodes]
    for k, dims in enumerate(draw(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=3))):
        kind = draw(st.sampled_from([np.float32, np.int64]))
        tensors.append(constant(f"t{k}", draw(_NUMBERS) * np.ones(dims), kind))
    names = ["low", *(t.name for t in tensors), *(n.output[0] for n in nodes)]
    if nodes:
        nodes[-1].output[0] = names[-1] = "right"
    for k in range(draw(st.integers(0 if nodes else 1, 4))):
        attributes = draw(st.dictionaries(st.sampled_from(sorted(_KNOWN)), st.none(), max_size=2))
        given_ = {name: draw(_KNOWN[name]) for name in attributes}
        given_ = {n: v for n, v in given_.items() if not isinstance(v, int) or -(2**63) <= v < 2**63}
        inputs = draw(st.lists(st.sampled_from(names), max_size=3))
        nodes.append(node(draw(_OPS), inputs, f"v{k}", **{n: v for n, v in given_.items() if v != []}))
        names.append(f"v{k}")
    nodes[-1].output[0] = "high"
    return graph_of(nodes, tensors)


ANY_CARD = st.fixed_dictionaries(
    {},
    optional={
        "scale": st.integers(1, 3), "halo": st.integers(0, 3), "tile_stride": st.integers(1, 2),
        "fixed_size": st.sampled_from([0, 7, 9, 16]), "widest": st.sampled_from([1, 12, 64]),
    },
)  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(proto=any_graph(), changes=ANY_CARD, levels=st.booleans())
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_any_card_with_any_graph(
    proto: onnx.ModelProto, changes: dict[str, int], levels: bool, runtime: str, tmp_path: Path
) -> None:
    scale = changes.get("scale", 2)
    path = written(tmp_path, proto, **changes, ports=Ports.enlarging(scale))
    begun = time.process_time()
    try:
        with Upscaler(path, tile=16, execution=Execution(runtime, "f32", 1)) as upscaler:
            image = np.full((21, 18, 3), 0.5 if not levels else 128, np.uint8 if levels else np.float32)
            results = [upscaler(image) for _ in range(2)]
    except (BadWeights, BadRequest):
        pass
    else:
        assert results[0].shape == (21 * scale, 18 * scale, 3)
        assert np.array_equal(results[0], results[1])
    assert time.process_time() - begun < SECONDS

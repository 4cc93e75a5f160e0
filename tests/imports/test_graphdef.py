"""The reader of .pb files: what is right is read, everything else is refused in one line, quickly."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subpixel.errors import BadWeights
from subpixel.imports import graphdef, tensorflow
from subpixel.imports.graphdef import Node
from subpixel.imports.graphdef_messages import message_classes

# A Const node as protoc encodes it, by hand: name "c", op "Const", value: float32 [2] with 1.0 and -2.0.
TENSOR = b"\x08\x01" + b"\x12\x04\x12\x02\x08\x02" + b"\x22\x08" + b"\x00\x00\x80\x3f\x00\x00\x00\xc0"
VALUE = b"\x0a\x05value" + b"\x12" + bytes([len(TENSOR) + 2]) + b"\x42" + bytes([len(TENSOR)]) + TENSOR
NODE = b"\x0a\x01c" + b"\x12\x05Const" + b"\x2a" + bytes([len(VALUE)]) + VALUE
GRAPH = b"\x0a" + bytes([len(NODE)]) + NODE + b"\x22\x02\x08\x16"


def test_a_graph_encoded_by_hand() -> None:
    (node,) = graphdef.parse(GRAPH)
    assert (node.name, node.op, node.inputs) == ("c", "Const", ())
    value = node.attributes["value"]
    assert isinstance(value, np.ndarray)
    assert value.dtype == np.float32
    assert value.tolist() == [1.0, -2.0]


def test_numbers_in_every_form_that_tensorflow_writes() -> None:
    """A list packed or not, negative numbers, a false, a value of 0, and a float."""
    attributes = {
        b"packed": b"\x0a\x05\x1a\x03\x01\xac\x02",
        b"single": b"\x0a\x04\x18\x01\x18\x02",
        b"minus": b"\x18" + b"\xff" * 9 + b"\x01",
        b"no": b"\x28\x00",
        b"zero": b"\x18\x00",
        b"half": b"\x25\x00\x00\x00\x3f",
        b"text": b"\x12\x04SAME",
        b"kind": b"\x30\x03",
        b"shape": b"\x3a\x02\x18\x01",  # a kind that nothing reads
    }
    entries = (b"\x0a" + bytes([len(k)]) + k + b"\x12" + bytes([len(v)]) + v for k, v in attributes.items())
    node = b"\x0a\x01n\x12\x02Op\x1a\x03x:0" + b"".join(b"\x2a" + bytes([len(e)]) + e for e in entries)
    (read,) = graphdef.parse(b"\x0a" + _size(node) + node)
    assert (read.name, read.op, read.inputs) == ("n", "Op", ("x",))
    assert read.attributes == {
        "packed": (1, 300),
        "single": (1, 2),
        "minus": -1,
        "no": 0,
        "zero": 0,
        "half": 0.5,
        "text": b"SAME",
        "kind": 3,
    }


def test_tensors_whose_values_are_listed_or_repeated() -> None:
    floats = message_classes()["TensorProto"](dtype=1, float_val=[0.5, -2.0])
    integers = message_classes()["TensorProto"](dtype=3, int_val=[-7])
    for tensor, sizes in ((floats, (1, 2)), (integers, (2, 2))):
        tensor.tensor_shape.dim.extend(_dims(*sizes))
    assert graphdef._tensor(floats).tolist() == [[0.5, -2.0]]
    assert graphdef._tensor(integers).tolist() == [[-7, -7], [-7, -7]]


def _size(message: bytes) -> bytes:
    """A length of up to 14 bits, as protocol buffers have it."""
    return bytes([len(message) & 127 | 128, len(message) >> 7])


def test_what_is_written_is_read_again() -> None:
    nodes = [
        Node("x", "Placeholder", (), {"dtype": 1}),
        Node("k", "Const", (), {"value": np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)}),
        Node("y", "Conv2D", ("x", "k"), {"strides": (1, 2, 300, 1), "padding": b"SAME", "block_size": 3}),
    ]
    for ours, again in zip(nodes, graphdef.parse(graphdef.write(nodes)), strict=True):
        assert (ours.name, ours.op, ours.inputs) == (again.name, again.op, again.inputs)
        for key, value in ours.attributes.items():
            np.testing.assert_array_equal(again.attributes[key], value)


def test_nodes_come_behind_their_inputs() -> None:
    nodes = [Node("c", "Add", ("b", "a")), Node("b", "Relu", ("a",)), Node("a", "Placeholder")]
    assert [n.name for n in graphdef.ordered(nodes)] == ["a", "b", "c"]
    chain = [Node(str(n), "Relu", (str(n + 1),)) for n in range(9000)] + [Node("9000", "Placeholder")]
    assert graphdef.ordered(chain)[0].name == "9000"


def _dims(*sizes: int) -> list[Any]:
    return [message_classes()["Dim"](size=size) for size in sizes]


def _tensor(*sizes: int, dtype: int = 1, **values: Any) -> bytes:
    """A graph of one constant."""
    graph = message_classes()["GraphDef"]()
    tensor = graph.node.add(name="c", op="Const").attr.add(key="value").value.tensor
    tensor.CopyFrom(message_classes()["TensorProto"](dtype=dtype, **values))
    tensor.tensor_shape.dim.extend(_dims(*sizes))
    return graph.SerializeToString()


HUGE = 2**40
HOSTILE = {
    "empty": (b"", "no nodes"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(30), "protocol buffers are damaged"),
    "an endless number": (b"\x08" + b"\xff" * 30, "damaged"),
    "cut": (GRAPH[:20], "damaged"),
    "a huge field": (b"\x0a" + b"\xff\xff\xff\xff\x7f" + b"x", "damaged"),
    "deep groups": (b"\x0b" * 100_000, "damaged"),
    "a huge tensor": (_tensor(HUGE), "impossible size"),
    "an open size": (_tensor(-1), "impossible size"),
    "sizes that multiply": (_tensor(*[graphdef.LARGEST] * 4), "has 0 values"),
    "one number for a gigabyte": (_tensor(graphdef.LARGEST, float_val=[0.0]), "has 1 values"),
    "many axes": (_tensor(*[1] * 5000), "5000 axes"),
    "too few values": (_tensor(3, tensor_content=bytes(8)), "has 2 values"),
    "half a value": (_tensor(1, tensor_content=bytes(3)), "multiple"),
    "another type": (_tensor(dtype=7), "type 7"),
    "a number for a message": (b"\x08\x05", "no nodes"),
    "names that are no text": (b"\x0a\x09\x0a\x02\xff\xfe\x12\x03Add", "damaged"),
    "a name of two lines": (graphdef.write([Node("a\nb", "Relu", ("x",))]), "cannot be printed"),
    "a nameless node": (b"\x0a\x05\x12\x03Add", "no name"),
    "a node twice": (GRAPH + GRAPH, "same name"),
    "a missing input": (graphdef.write([Node("a", "Relu", ("b",))]), "does not exist"),
    "a circle": (graphdef.write([Node("a", "Relu", ("b",)), Node("b", "Relu", ("a",))]), "depends on itself"),
    "itself": (graphdef.write([Node("a", "Relu", ("a",))]), "depends on itself"),
    "too many nodes": (graphdef.write([Node(str(n), "Relu") for n in range(10_001)]), "more than 10000"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    content, why = HOSTILE[name]
    (tmp_path / "x.pb").write_bytes(content)
    with pytest.raises(BadWeights, match=why) as caught:
        graphdef.read(tmp_path / "x.pb")
    assert "\n" not in str(caught.value)
    assert "x.pb" in str(caught.value)


def test_a_missing_and_a_huge_file(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="no such file"):
        graphdef.read(tmp_path / "none.pb")
    with (tmp_path / "huge.pb").open("wb") as file:
        file.truncate(graphdef.LARGEST + 1)  # sparse
    with pytest.raises(BadWeights, match="larger than 64 MiB"):
        graphdef.read(tmp_path / "huge.pb")


FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _loads_or_refuses(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    start, said = time.monotonic(), ""
    try:
        tensorflow.load(path)
    except BadWeights as error:
        said = str(error)
    assert "\n" not in said
    assert time.monotonic() - start < 5


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_load_or_are_refused(content: bytes, tmp_path: Path) -> None:
    _loads_or_refuses(content, tmp_path / "x.pb")
    node = b"\x0a\x01a\x12\x05Const" + content
    _loads_or_refuses(b"\x0a" + _size(node) + node, tmp_path / "x.pb")


@FUZZ
@given(data=st.data())
def test_a_damaged_network_loads_or_is_refused(
    data: st.DataObject, edsr: Callable[[int], list[Node]], tmp_path: Path
) -> None:
    content = bytearray(graphdef.write(edsr(2)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    _loads_or_refuses(bytes(content[:end]), tmp_path / "x.pb")


@FUZZ
@given(data=st.data())
def test_a_rewired_network_loads_or_is_refused(
    data: st.DataObject, edsr: Callable[[int], list[Node]], tmp_path: Path
) -> None:
    nodes = edsr(2)
    index = data.draw(st.integers(0, len(nodes) - 1))
    node, names = nodes[index], [n.name for n in nodes]
    inputs = tuple(data.draw(st.lists(st.sampled_from(names), max_size=3)))
    op = data.draw(
        st.sampled_from([node.op, "Relu", "Abs", "Add", "Mul", "Conv2D", "DepthToSpace", "Transpose", "Tanh"])
    )
    nodes[index] = Node(node.name, op, inputs, node.attributes)
    _loads_or_refuses(graphdef.write(nodes), tmp_path / "x.pb")

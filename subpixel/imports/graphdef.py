"""Frozen TensorFlow graphs (GraphDef, .pb): nodes with inputs, attributes and constant tensors.

Only what super-resolution networks need: float32 and int32 constants, scalar attributes, lists of integers. Field
numbers: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadWeights
from subpixel.imports import wire

LARGEST = 1 << 29
"""Bytes a file may have; EDSR, the largest that OpenCV reads, has 38 MB."""
_NODES = 10_000
_FILLED = 4096  # elements of a tensor that is stored as one repeated number
_TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 3: np.dtype("<i4")}

Attribute = bytes | int | float | tuple[int, ...] | NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operation: the names of its inputs are those of other nodes."""

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict[str, Attribute])


def read(path: str | Path) -> list[Node]:
    """The nodes of a frozen graph, every input defined before it is used.

    Raises: BadWeights for a file that is missing, damaged, too large, or has nodes in a circle.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise BadWeights(path, "it is larger than 512 MiB")
        content = path.read_bytes()
    except OSError as error:
        raise BadWeights(path, error.strerror or str(error)) from None
    try:
        return ordered(parse(content))
    except ValueError as error:
        raise BadWeights(path, f"it is not a frozen TensorFlow graph: {error}") from None


def parse(content: bytes) -> list[Node]:
    """The nodes in a GraphDef message; raises ValueError."""
    nodes: list[Node] = []
    for number, value in wire.fields(content):
        if number == 1:
            nodes.append(_node(_bytes(value)))
        elif number not in (2, 3, 4):  # library, version, versions
            raise ValueError(f"a graph has no field {number}")
        if len(nodes) > _NODES:
            raise ValueError(f"it has more than {_NODES} nodes")
    if not nodes:
        raise ValueError("it has no nodes")
    return nodes


def ordered(nodes: list[Node]) -> list[Node]:
    """The nodes, each behind its inputs; raises ValueError for double or missing names and for circles."""
    named = {node.name: node for node in nodes}
    if len(named) < len(nodes):
        raise ValueError("two nodes have the same name")
    for node in nodes:
        for name in node.inputs:
            if name not in named:
                raise ValueError(f"{node.name} reads {name}, which does not exist")
    try:
        order = list(TopologicalSorter({node.name: node.inputs for node in nodes}).static_order())
    except CycleError as error:
        raise ValueError(f"{error.args[1][0]} depends on itself") from None
    return [named[name] for name in order]


def _node(message: bytes) -> Node:
    name = op = ""
    inputs: list[str] = []
    attributes: dict[str, Attribute] = {}
    for number, value in wire.fields(message):
        if number == 1:
            name = _text(value)
        elif number == 2:
            op = _text(value)
        elif number == 3:
            inputs.append(_text(value).removesuffix(":0"))
        elif number == 5:
            entry = dict(wire.fields(_bytes(value)))
            kept = _attribute(_bytes(entry.get(2, b"")))
            if kept is not None:
                attributes[_text(entry.get(1, b""))] = kept
    if not name or not op:
        raise ValueError("a node has no name or no operation")
    return Node(name, op, tuple(inputs), attributes)


def _attribute(message: bytes) -> Attribute | None:
    """The value of an attribute, or None where it has a kind that nothing here reads."""
    for number, value in wire.fields(message):
        if number == 1:
            packed = [v for n, v in wire.fields(_bytes(value)) if n == 3]
            return tuple(wire.signed(i) for v in packed for i in ([v] if isinstance(v, int) else wire.varints(v)))
        if number == 2:
            return _bytes(value)
        if number in (3, 5, 6):
            return wire.signed(_int(value))
        if number == 4:
            return float(np.frombuffer(_bytes(value), "<f4").reshape(()))
        if number == 8:
            return _tensor(_bytes(value))
    return None


def _tensor(message: bytes) -> NDArray[Any]:
    kind, shape, content = 0, tuple[int, ...](), b""
    listed: list[bytes] = []
    for number, value in wire.fields(message):
        if number == 1:
            kind = _int(value)
        elif number == 2:
            shape = tuple(_dimensions(_bytes(value)))
        elif number == 4:
            content = _bytes(value)
        elif number == 5:
            listed.append(_bytes(value))
        elif number == 7:
            numbers = [value] if isinstance(value, int) else wire.varints(value)
            listed += [(n & 0xFFFFFFFF).to_bytes(4, "little") for n in numbers]
    if kind not in _TYPES or len(shape) > 4:
        raise ValueError(f"a tensor has type {kind} and {len(shape)} axes; expected float32 or int32, up to 4")
    return _filled(np.frombuffer(content or b"".join(listed), _TYPES[kind]), shape)


def _filled(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    count = math.prod(shape)
    if len(values) == count:
        return values.reshape(shape)
    if len(values) == 1 and 0 < count <= _FILLED:
        return np.full(shape, values[0])
    raise ValueError(f"a tensor of shape {list(shape)} has {len(values)} values")


def _dimensions(message: bytes) -> Iterator[int]:
    for number, value in wire.fields(message):
        if number == 2:
            sizes = [_int(v) for n, v in wire.fields(_bytes(value)) if n == 1]
            if len(sizes) != 1 or sizes[0] > LARGEST:
                raise ValueError("a tensor has an open or impossible size")
            yield sizes[0]


def _bytes(value: wire.Value) -> bytes:
    if isinstance(value, int):
        raise ValueError("there is a number where a message was expected")
    return value


def _int(value: wire.Value) -> int:
    if not isinstance(value, int):
        raise ValueError("there is a message where a number was expected")
    return value


def _text(value: wire.Value) -> str:
    return _bytes(value).decode("utf-8")


_DATA_TYPES = ("T", "Tperm", "dtype")  # attributes whose number means a type


def write(nodes: list[Node]) -> bytes:
    """The GraphDef message of a graph, as `parse` reads it."""
    return b"".join(wire.field(1, _node_message(node)) for node in nodes)


def _node_message(node: Node) -> bytes:
    parts = [wire.field(1, node.name.encode()), wire.field(2, node.op.encode())]
    parts += [wire.field(3, name.encode()) for name in node.inputs]
    for key, value in node.attributes.items():
        parts.append(wire.field(5, wire.field(1, key.encode()) + wire.field(2, _attribute_message(key, value))))
    return b"".join(parts)


def _attribute_message(key: str, value: Attribute) -> bytes:
    if isinstance(value, bytes):
        return wire.field(2, value)
    if isinstance(value, int):
        return wire.field(6 if key in _DATA_TYPES else 3, value)
    if isinstance(value, tuple):
        return wire.field(1, b"".join(wire.field(3, number) for number in value))
    if isinstance(value, np.ndarray):
        return wire.field(8, _tensor_message(value))
    raise TypeError(f"{key}: a {type(value).__name__} is not written")


def _tensor_message(values: NDArray[Any]) -> bytes:
    kind = next(number for number, known in _TYPES.items() if known == values.dtype)
    axes = b"".join(wire.field(2, wire.field(1, size)) for size in values.shape)
    return wire.field(1, kind) + wire.field(2, axes) + wire.field(4, values.tobytes())

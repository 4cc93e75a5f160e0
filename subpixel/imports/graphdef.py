"""Frozen TensorFlow graphs (GraphDef, .pb): nodes with inputs, attributes and constant tensors.

Only what super-resolution networks need: float32 and int32 constants, scalar attributes, lists of integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadWeights, unread
from subpixel.imports.graphdef_messages import ONE_OF, message_classes

LARGEST = 1 << 26
"""Bytes a file may have, for empty nodes take 40 times as many; EDSR, the largest that OpenCV reads, has 38 MB."""
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
            raise BadWeights(path, f"it is larger than {LARGEST >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise BadWeights(path, unread(error)) from None
    try:
        return ordered(parse(content))
    except ValueError as error:
        raise BadWeights(path, f"it is not a frozen TensorFlow graph: {error}") from None


def parse(content: bytes) -> list[Node]:
    """The nodes in a GraphDef message; raises ValueError."""
    from google.protobuf.message import DecodeError

    try:
        graph = message_classes()["GraphDef"].FromString(content)
    except DecodeError:
        raise ValueError("its protocol buffers are damaged") from None
    if not graph.node:
        raise ValueError("it has no nodes")
    if len(graph.node) > _NODES:
        raise ValueError(f"it has more than {_NODES} nodes")
    return [_node(message) for message in graph.node]


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


def _node(message: Any) -> Node:
    if not message.name or not message.op:
        raise ValueError("a node has no name or no operation")
    if not all(text.isprintable() for text in (message.name, message.op, *message.input)):
        raise ValueError("the name of a node cannot be printed")
    inputs = tuple(name.removesuffix(":0") for name in message.input)
    attributes = {entry.key: _attribute(entry.value) for entry in message.attr}
    return Node(message.name, message.op, inputs, {k: v for k, v in attributes.items() if v is not None})


def _attribute(message: Any) -> Attribute | None:
    """The value of an attribute, or None where it has a kind that nothing here reads."""
    kind = message.WhichOneof(ONE_OF)
    if kind == "list":
        return tuple(message.list.i)
    if kind == "tensor":
        return _tensor(message.tensor)
    return getattr(message, kind) if kind else None


def _tensor(message: Any) -> NDArray[Any]:
    shape = tuple(axis.size for axis in message.tensor_shape.dim)
    if message.dtype not in _TYPES or len(shape) > 4:
        raise ValueError(f"a tensor has type {message.dtype} and {len(shape)} axes; expected float32 or int32, up to 4")
    if not all(0 <= size <= LARGEST for size in shape):
        raise ValueError("a tensor has an open or impossible size")
    kind = _TYPES[message.dtype]
    if message.tensor_content:
        return _filled(np.frombuffer(message.tensor_content, kind), shape)
    return _filled(np.array(message.float_val if kind.kind == "f" else message.int_val, kind), shape)


def _filled(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    count = math.prod(shape)
    if len(values) == count:
        return values.reshape(shape)
    if len(values) == 1 and 0 < count <= _FILLED:
        return np.full(shape, values[0])
    raise ValueError(f"a tensor of shape {list(shape)} has {len(values)} values")


_DATA_TYPES = ("T", "Tperm", "dtype")  # attributes whose number means a type


def write(nodes: list[Node]) -> bytes:
    """The GraphDef message of a graph, as `parse` reads it."""
    graph = message_classes()["GraphDef"]()
    for node in nodes:
        message = graph.node.add(name=node.name, op=node.op, input=node.inputs)
        for key, value in node.attributes.items():
            _set(message.attr.add(key=key).value, key, value)
    return graph.SerializeToString()


def _set(message: Any, key: str, value: Attribute) -> None:
    if isinstance(value, bytes):
        message.s = value
    elif isinstance(value, int):
        setattr(message, "type" if key in _DATA_TYPES else "i", value)
    elif isinstance(value, tuple):
        message.list.i.extend(value)
    elif isinstance(value, np.ndarray):
        _set_tensor(message.tensor, value)
    else:
        raise TypeError(f"{key}: a {type(value).__name__} is not written")


def _set_tensor(message: Any, values: NDArray[Any]) -> None:
    message.dtype = next(number for number, known in _TYPES.items() if known == values.dtype)
    for size in values.shape:
        message.tensor_shape.dim.add(size=size)
    message.tensor_content = values.tobytes()

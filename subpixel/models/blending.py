"""Moves the weights of a graph towards those of another of the same structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto


def blend(proto: ModelProto, other: ModelProto, share: float) -> None:
    """w = (1 - share) w + share w' for each weight w of the graph; what is no float stays. Raises: ValueError."""
    from onnx import numpy_helper

    theirs = {tensor.name: numpy_helper.to_array(tensor) for tensor in other.graph.initializer}
    if _structure(proto) != _structure(other):
        raise ValueError("another structure")
    for tensor in proto.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32:
            between = (1 - share) * weights + share * theirs[tensor.name]
            tensor.CopyFrom(numpy_helper.from_array(between.astype(np.float32), tensor.name))


def _structure(proto: ModelProto) -> list[object]:
    nodes = [(node.op_type, *node.input, *node.output) for node in proto.graph.node]
    return [*nodes, *sorted((t.name, t.data_type, *t.dims) for t in proto.graph.initializer)]

"""Adds the difference of two graphs of the same structure to the weights of a third."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto


def add_difference(proto: ModelProto, start: ModelProto, end: ModelProto, share: float) -> None:
    """w + share (end - start) for each weight w of the graph; what is no float stays. Raises: ValueError."""
    from onnx import numpy_helper

    if not _structure(proto) == _structure(start) == _structure(end):
        raise ValueError("another structure")
    first, last = ({t.name: numpy_helper.to_array(t) for t in other.graph.initializer} for other in (start, end))
    for tensor in proto.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.dtype == np.float32:
            # in this order all of the way from w to another is that other, to the last bit
            added = weights - share * first[tensor.name] + share * last[tensor.name]
            tensor.CopyFrom(numpy_helper.from_array(added.astype(np.float32), tensor.name))


def _structure(proto: ModelProto) -> list[object]:
    nodes = [(node.op_type, *node.input, *node.output) for node in proto.graph.node]
    return [*nodes, *sorted((t.name, t.data_type, *t.dims) for t in proto.graph.initializer)]

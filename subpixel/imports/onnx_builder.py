"""An ONNX graph that is being written, node by node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET = 17


class Graph:
    """From `low`, N 3 H W, to `high`, N 3 sH sW, float32 in [0, 1], for any N, H and W."""

    low = "low"

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operation and returns the name of its output."""
        from onnx import helper

        name = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def constant(self, values: ArrayLike) -> str:
        """Adds a constant, integers as int64 and floats as float32, and returns its name."""
        from onnx import numpy_helper

        array = np.asarray(values)
        name = f"constant_{len(self._weights)}"
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        self._weights.append(numpy_helper.from_array(array.astype(kind), name))
        return name

    def channelwise(self, op: str, value: str, numbers: ArrayLike) -> str:
        """Adds an operation with one number, or with one for each channel."""
        return self.node(op, value, self.constant(np.asarray(numbers, np.float32).reshape(1, -1, 1, 1)))

    def finish(self, high: str, scale: int) -> ModelProto:
        """The model whose result is the value `high`."""
        from onnx import TensorProto, helper

        self._nodes.append(helper.make_node("Identity", [high], ["high"], "high"))
        shapes = ["batch", 3, "height", "width"], ["batch", 3, f"{scale}*height", f"{scale}*width"]
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in zip(("low", "high"), shapes, strict=True)
        ]
        graph = helper.make_graph(self._nodes, "subpixel", ends[:1], ends[1:], self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

"""What the graph of a model may hold: tensors that lie inside it, and operations whose work its input bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from subpixel.errors import BadWeights
from subpixel.models.card import Card
from subpixel.ports import Port

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

OPERATORS = frozenset(
    """
    Abs Add And AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Conv
    ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf Exp Expand Flatten Floor Gather
    Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HardSigmoid
    HardSwish Identity InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul
    Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceL1 ReduceL2
    ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum Relu Reshape Resize Round ScatterND Selu Shape Sigmoid Sign Sin
    Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Tile TopK Transpose Trilu
    Unsqueeze Where Xor
    """.split()  # noqa: SIM905
)
"""The operators of ONNX that networks are made of; nothing that repeats, branches, draws at random or holds strings.

Nor GatherND, GatherElements and ScatterElements: OpenVINO 2026.4 takes indices beyond the tensor, and reads or writes
what memory holds there.
"""

LARGEST = 1 << 30
"""Bytes that all tensors of a model may have, in single precision; the largest network of the field has 172 MB."""
_NODES = 50_000
_SIDE = 32
"""Height and width of the image for which the sizes of all values are inferred."""
_WIDER = 16
"""How much wider than its card says a value may be: attention has maps that no layer gives out."""
_FIXED = 1 << 24
"""Numbers that a value may have whatever the size of the image, as weights that are turned around do."""
_SMALL = 1 << 12
"""Numbers of a tensor that may be a size rather than a weight."""
_NUMBERS = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16)
"""The types of tensors: all of numbers, as `TensorProto.DataType` counts them."""
_PLAIN = (1, 2, 3, 4, 6, 7, 8)
"""The types of attributes: numbers, strings, tensors and lists of them, as `AttributeProto.AttributeType` counts."""


def check(path: Path, proto: ModelProto) -> None:
    """Refuses a graph with anything but plain operators, or with tensors outside itself, in strings or too large.

    Shared weights beside the file, which `compact.load_full` takes in, are initializers and may still be outside.
    Raises: BadWeights.
    """
    graph = proto.graph
    if proto.functions or proto.training_info or graph.sparse_initializer:
        raise BadWeights(path, "it has functions, training information or sparse tensors; expected one plain graph")
    if len(graph.node) > _NODES:
        raise BadWeights(path, f"it has {len(graph.node):,} nodes, more than {_NODES:,}")
    for node in graph.node:
        _check_node(path, node)
    tensors = [*graph.initializer, *(t for node in graph.node for t in constants(node))]
    for tensor in tensors:
        if tensor.data_type not in _NUMBERS or any(not 0 <= n < 2**31 for n in tensor.dims):
            raise BadWeights(path, f"its tensor {tensor.name!r} is no array of numbers")
    if sum(4 * math.prod(tensor.dims) for tensor in tensors) > LARGEST:
        raise BadWeights(path, "it has more than 1 GiB of weights")


def _check_node(path: Path, node: NodeProto) -> None:
    if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
        raise BadWeights(path, f"it holds the operator {node.op_type!r}, which no plain network needs")
    if any(a.type not in _PLAIN or a.ref_attr_name for a in node.attribute):
        raise BadWeights(path, f"its {node.op_type} holds a graph, or tensors that are sparse")
    if any(is_outside(tensor) for tensor in constants(node)):
        raise BadWeights(path, f"its {node.op_type} reads a tensor from another file")


def constants(node: NodeProto) -> Iterator[TensorProto]:
    """The tensors that a node holds itself."""
    for attribute in node.attribute:
        yield from [attribute.t] if attribute.HasField("t") else []
        yield from attribute.tensors


def is_outside(tensor: TensorProto) -> bool:
    """Whether a tensor's numbers lie in another file."""
    return bool(tensor.external_data) or tensor.data_location == tensor.EXTERNAL


def check_fit(path: Path, proto: ModelProto, card: Card) -> None:
    """Refuses a graph that is not valid ONNX or not what its card says.

    The sizes of all values are inferred for a small image. Raises: BadWeights.
    """
    import onnx

    _check_ports(path, proto, card)
    _check_tensors(path, proto)
    small = _without_weights(proto, card)
    try:
        onnx.checker.check_model(small)
        inferred = onnx.shape_inference.infer_shapes(small, check_type=True, strict_mode=True, data_prop=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise BadWeights(path, f"its graph is wrong: {one_line(error)}") from None
    _check_sizes(path, inferred, card)


def one_line(error: object) -> str:
    """What a library says, in one printable line of at most 200 characters."""
    return re.sub(r"[^ -~]+", " ", " ".join(str(error).split()))[:200] or type(error).__name__


def _check_ports(path: Path, proto: ModelProto, card: Card) -> None:
    for kind, stated, values in (
        ("inputs", card.ports.inputs, proto.graph.input),
        ("outputs", card.ports.outputs, proto.graph.output),
    ):
        expected, actual = ", ".join(port.name for port in stated), ", ".join(value.name for value in values)
        if expected != actual:
            raise BadWeights(path, f"its graph has the {kind} {actual!r}; its card says {expected!r}")
        for port, value in zip(stated, values, strict=True):
            if value.type.tensor_type.elem_type != 1 or not _fits(_axes(value), port, card.fixed_size):
                raise BadWeights(path, f"the type or shape of {port.name!r} in its graph is not what its card says")


def _axes(value: ValueInfoProto) -> list[int | None]:
    """The sides of a tensor, None where they are free."""
    return [axis.dim_value if axis.HasField("dim_value") else None for axis in value.type.tensor_type.shape.dim]


def _fits(axes: list[int | None], port: Port, side: int) -> bool:
    """Whether a tensor's sides are those of a port, for images of one side, or of any, which is 0."""
    sides = [] if port.kind == "vector" else [side * port.scale or None] * 2
    expected = [1, port.depth, *sides]
    return not axes or (len(axes) == len(expected) and all(a in (None, e) for a, e in zip(axes, expected, strict=True)))


def _check_tensors(path: Path, proto: ModelProto) -> None:
    """Every initializer has one name, and as many numbers as its shape says."""
    from onnx import numpy_helper

    tensors, inputs = proto.graph.initializer, proto.graph.input
    if len({t.name for t in tensors} | {i.name for i in inputs}) < len(tensors) + len(inputs):
        raise BadWeights(path, "two of its tensors have one name")
    for tensor in [*tensors, *(t for node in proto.graph.node for t in constants(node))]:
        try:
            numpy_helper.to_array(tensor)
        except (ValueError, TypeError):
            raise BadWeights(path, f"its tensor {tensor.name!r} has not the numbers its shape needs") from None


def _without_weights(proto: ModelProto, card: Card) -> ModelProto:
    """The graph for one small image, where what is large in the file is an input."""
    from onnx import ModelProto, helper

    side = card.fixed_size or _SIDE
    large = [t for t in proto.graph.initializer if math.prod(t.dims) > _SMALL]
    shapes = [(1, port.depth, side * port.scale, side * port.scale) for port in card.ports.inputs]
    small = ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    small.graph.name = "graph"
    small.graph.node.extend(proto.graph.node)
    small.graph.initializer.extend(t for t in proto.graph.initializer if math.prod(t.dims) <= _SMALL)
    small.graph.input.extend(
        helper.make_tensor_value_info(port.name, 1, shape)
        for port, shape in zip(card.ports.inputs, shapes, strict=True)
    )
    small.graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in large)
    small.graph.output.extend(
        helper.make_tensor_value_info(port.name, 1, [None] * (2 if port.kind == "vector" else 4))
        for port in card.ports.outputs
    )
    return small


def _check_sizes(path: Path, inferred: ModelProto, card: Card) -> None:
    side = card.fixed_size or _SIDE
    most = max(
        _FIXED, _WIDER * max(card.widest, *(port.depth * port.scale**2 for port in card.ports.outputs)) * side**2
    )
    for value in [*inferred.graph.value_info, *inferred.graph.output]:
        if math.prod(axis or 1 for axis in _axes(value)) > most:
            raise BadWeights(path, f"its {value.name!r} is far wider than the {card.widest} channels its card says")
    for port, value in zip(card.ports.outputs, inferred.graph.output, strict=True):
        if not _fits(_axes(value), port, side):
            raise BadWeights(path, f"its graph does not enlarge {port.name!r} {port.scale} times, as its card says")

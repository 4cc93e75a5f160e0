"""Frozen TensorFlow graphs of super-resolution networks (OpenCV's .pb files) as models.

The graph is followed operation by operation. Activations are written in TensorFlow as sums of Relu, Abs and products
with constants; all of these are x -> a max(x, 0) + b min(x, 0), so every value is kept as the slopes a and b of a
value in the ONNX graph, and becomes one PRelu when something else reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadWeights
from subpixel.imports import opencv_color
from subpixel.imports.graphdef import Node, read
from subpixel.imports.onnx_builder import Graph
from subpixel.models import Card, Model
from subpixel.models.store import parse, with_card
from subpixel.ports import ModelName

if TYPE_CHECKING:
    from onnx import ModelProto

Array = NDArray[Any]
OUTPUT = "NCHW_output"
"""The node that OpenCV's files end in."""
_ONE = np.ones(1, np.float32)
_LARGEST_SCALE = 16


@dataclass(frozen=True)
class Value:
    """What a node computes: positive max(x, 0) + negative min(x, 0) of a value x of the ONNX graph."""

    name: str
    channels: int
    scale: int = 1
    before: int = 0
    """Its pixel p reads the low-resolution pixels from floor((p - before) / scale)..."""
    after: int = 0
    """... to floor((p + after) / scale), on each axis."""
    positive: Array = field(default_factory=lambda: _ONE)
    negative: Array = field(default_factory=lambda: _ONE)

    @property
    def halo(self) -> int:
        """Low-resolution pixels on each side that the pixels of one low-resolution pixel read."""
        return max(-(-self.before // self.scale), (self.scale - 1 + self.after) // self.scale)

    def with_slopes(self, positive: Array, negative: Array) -> Value:
        """The same value with other slopes."""
        return replace(self, positive=positive, negative=negative)


def load(path: str | Path, output: str = OUTPUT, *, exact: bool = False) -> Model:
    """The model in a .pb file of OpenCV's dnn_superres: FSRCNN, ESPCN, LapSRN, EDSR and what is built like them.

    output: the node whose value is the result; LapSRN has one for each scale. exact: rounds to 8-bit levels where
    OpenCV does, see `frames`.
    Raises: BadWeights for a file that is damaged, or holds another kind of graph.
    """
    path = Path(path)
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
            proto, network = _translated(read(path), output, exact)
    except ValueError as error:
        raise error if isinstance(error, BadWeights) else BadWeights(path, str(error)) from None
    result = network.result
    card = Card(
        name=str(ModelName.of_file(path.stem, result.scale)),
        arch="tensorflow",
        config={"file": ascii(path.name)[1:-1], "output": output},
        scale=result.scale,
        halo=max(1, result.halo),  # the chroma is bilinear
        parameters=network.parameters,
        macs=round(network.macs / result.scale**2, 1),
        widest=max(network.width, 3 * result.scale**2),
        licence="unknown, imported",
        paper="unknown, imported",
    )
    content = with_card(proto, card)
    return Model(path, card.model_copy(update={"sha256": _digest(path, content)}), content)


def _digest(path: Path, content: bytes) -> str:
    from subpixel.models.store import card_of

    return card_of(path, parse(path, content)).sha256


class _Network:
    """The nodes of a TensorFlow graph, translated one after the other behind an ONNX value."""

    def __init__(self, graph: Graph, start: str, channels: int) -> None:
        self.graph = graph
        self.result = Value(start, channels)
        self.parameters = self.macs = self.width = 0
        self._values: dict[str, Value | Array] = {}
        self._written: dict[tuple[str, bytes, bytes], str] = {}

    def run(self, nodes: list[Node]) -> Value:
        """Translates the nodes; returns the last one's value, written out."""
        start = self.result
        for node in nodes:
            if node.op == "Placeholder":
                result = start
            elif node.op in _OPERATIONS:
                result = _OPERATIONS[node.op](self, node, *(self._values[name] for name in node.inputs))
            else:
                raise ValueError(f"{node.name} is a {node.op}, which super-resolution networks do not have")
            self._values[node.name] = result
            if isinstance(result, Value):
                self.width = max(self.width, result.channels * result.scale**2)
                self.result = result
        return self.materialise(self.result)

    def materialise(self, value: Value) -> Value:
        """The value with both slopes 1: its activation becomes a node of the ONNX graph."""
        up, down = value.positive, value.negative
        key = value.name, up.tobytes(), down.tobytes()
        if key not in self._written:
            self._written[key] = self._activation(value.name, up, down)
        return replace(value, name=self._written[key], positive=_ONE, negative=_ONE)

    def _activation(self, name: str, up: Array, down: Array) -> str:
        if not (np.isfinite(up).all() and np.isfinite(down).all()):
            raise ValueError("the slopes of an activation are not finite")
        if np.all(up == down):
            return name if np.all(up == 1) else self.graph.channelwise("Mul", name, up)
        if not np.all(up == 1):
            raise ValueError("an activation has a slope other than 1 for positive values")
        return self.graph.node("Relu", name) if not down.any() else self.graph.channelwise("PRelu", name, down)


def _translated(nodes: list[Node], output: str, exact: bool) -> tuple[ModelProto, _Network]:
    used = _reached(nodes, output)
    channels = _input_channels(used)
    graph = Graph()
    networks: list[_Network] = []

    def inner(start: str) -> tuple[str, int]:
        network = _Network(graph, start, channels)
        networks.append(network)
        result = network.run(used)
        if result.channels != channels or not 1 < result.scale <= _LARGEST_SCALE:
            raise ValueError(f"{output} has {result.channels} channels at x{result.scale}; expected {channels}, larger")
        return result.name, result.scale

    high, scale = opencv_color.luma(graph, inner, exact) if channels == 1 else opencv_color.bgr(graph, inner)
    return graph.finish(high, scale), networks[0]


def _reached(nodes: list[Node], output: str) -> list[Node]:
    """The nodes that an output depends on, in their order, itself last."""
    named = {node.name: node for node in nodes}
    if output not in named:
        raise ValueError(f"it has no node {output}; it is no network of OpenCV's dnn_superres")
    needed = {output}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in nodes if node.name in needed]


def _input_channels(nodes: list[Node]) -> int:
    """1 for luma or 3 for BGR, from the first convolution."""
    named = {node.name: node for node in nodes}
    starts = sum(node.op == "Placeholder" for node in nodes)
    kernels = [named[node.inputs[1]] for node in nodes if node.op == "Conv2D" and len(node.inputs) == 2]
    shape = _constant(kernels[0]).shape if kernels else ()
    if starts != 1 or len(shape) != 4 or shape[2] not in (1, 3):
        raise ValueError("expected one placeholder, read by a convolution of 1 or 3 channels")
    return shape[2]


Operation = Callable[..., Value | Array]


def _constant(node: Node) -> Array:
    value = node.attributes.get("value")
    if node.op != "Const" or not isinstance(value, np.ndarray):
        raise ValueError(f"{node.name} is a {node.op}; expected a constant")
    if not np.isfinite(value).all():
        raise ValueError(f"{node.name} has values that are not finite")
    return value


def _const(_net: _Network, node: Node, *inputs: Value | Array) -> Array:
    if inputs:
        raise ValueError(f"{node.name} is a constant with inputs")
    return _constant(node)


def _convolution(net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x, kernel = _value_and_constant(node, inputs, swap=False)
    if kernel.ndim != 4 or kernel.dtype != np.float32 or kernel.size == 0 or kernel.shape[2] != x.channels:
        raise ValueError(f"{node.name}: a kernel of shape {list(kernel.shape)} does not fit {x.channels} channels")
    attributes = {"strides": (1, 1, 1, 1), "dilations": (1, 1, 1, 1), "padding": b"SAME", "data_format": b"NHWC"}
    _expect(node, attributes, required=("strides", "padding"))
    tall, wide, _, outputs = kernel.shape
    above, left = (tall - 1) // 2, (wide - 1) // 2
    x = net.materialise(x)
    net.parameters += kernel.size
    net.macs += kernel.size * x.scale**2
    weights = net.graph.constant(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
    pads = [above, left, tall - 1 - above, wide - 1 - left]  # where TensorFlow has SAME, the odd one comes last
    name = net.graph.node("Conv", x.name, weights, kernel_shape=[tall, wide], pads=pads)
    reach = max(above, left), max(tall - 1 - above, wide - 1 - left)
    return replace(x, name=name, channels=outputs, before=x.before + reach[0], after=x.after + reach[1])


def _shuffle(net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x = net.materialise(_only_value(node, inputs))
    factor = node.attributes.get("block_size")
    _expect(node, {"data_format": b"NHWC"})
    if not isinstance(factor, int) or not 1 < factor <= _LARGEST_SCALE or x.channels % factor**2:
        raise ValueError(f"{node.name}: {x.channels} channels cannot be shuffled by {factor}")
    name = net.graph.node("DepthToSpace", x.name, blocksize=factor, mode="DCR")
    grown = {"scale": x.scale * factor, "before": x.before * factor, "after": x.after * factor}
    return replace(x, name=name, channels=x.channels // factor**2, **grown)


def _sum(net: _Network, node: Node, *inputs: Value | Array) -> Value:
    if any(isinstance(i, np.ndarray) for i in inputs):
        x, offset = _value_and_constant(node, inputs, swap=node.op != "Sub")
        net.parameters += offset.size
        x = net.materialise(x)
        return replace(
            x, name=net.graph.channelwise("Sub" if node.op == "Sub" else "Add", x.name, _row(node, x, offset))
        )
    x, y = _two_values(node, inputs)
    sign = -1 if node.op == "Sub" else 1
    if x.name == y.name:
        return x.with_slopes(x.positive + sign * y.positive, x.negative + sign * y.negative)
    x, y = net.materialise(x), net.materialise(y)
    name = net.graph.node("Sub" if sign < 0 else "Add", x.name, y.name)
    return replace(x, name=name, before=max(x.before, y.before), after=max(x.after, y.after))


def _product(net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x, factor = _value_and_constant(node, inputs, swap=True)
    row = _row(node, x, factor)
    net.parameters += row.size if row.size > 1 else 0
    return x.with_slopes(x.positive * row, x.negative * row)


def _relu(_net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x = _only_value(node, inputs)
    return x.with_slopes(np.maximum(x.positive, 0), np.minimum(x.negative, 0))


def _abs(_net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x = _only_value(node, inputs)
    return x.with_slopes(np.abs(x.positive), -np.abs(x.negative))


def _tanh(net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x = net.materialise(_only_value(node, inputs))
    return replace(x, name=net.graph.node("Tanh", x.name))


def _transpose(_net: _Network, node: Node, *inputs: Value | Array) -> Value:
    x, order = _value_and_constant(node, inputs, swap=False)
    if order.tolist() != [0, 3, 1, 2]:
        raise ValueError(f"{node.name} transposes by {order.tolist()}; expected [0, 3, 1, 2]")
    return x


def _row(node: Node, x: Value, constant: Array) -> Array:
    """One number, or one for each channel."""
    if constant.size not in (1, x.channels) or constant.shape[-1:] not in ((), (constant.size,)):
        raise ValueError(f"{node.name}: shape {list(constant.shape)} does not fit {x.channels} channels")
    return constant.reshape(-1).astype(np.float32)


def _value_and_constant(node: Node, inputs: tuple[Value | Array, ...], *, swap: bool) -> tuple[Value, Array]:
    ordered = inputs[::-1] if swap and inputs and isinstance(inputs[0], np.ndarray) else inputs
    if len(ordered) == 2 and isinstance(ordered[0], Value) and isinstance(ordered[1], np.ndarray):
        return ordered[0], ordered[1]
    raise ValueError(f"{node.name}: a {node.op} needs a value and a constant")


def _two_values(node: Node, inputs: tuple[Value | Array, ...]) -> tuple[Value, Value]:
    values = [i for i in inputs if isinstance(i, Value)]
    if len(values) != 2 or len(inputs) != 2:
        raise ValueError(f"{node.name}: a {node.op} needs two values")
    x, y = values
    if (x.channels, x.scale) != (y.channels, y.scale):
        sizes = f"{x.channels} channels at x{x.scale}, {y.channels} at x{y.scale}"
        raise ValueError(f"{node.name}: its inputs do not fit each other ({sizes})")
    return x, y


def _only_value(node: Node, inputs: tuple[Value | Array, ...]) -> Value:
    if len(inputs) != 1 or not isinstance(inputs[0], Value):
        raise ValueError(f"{node.name}: a {node.op} needs one value")
    return inputs[0]


def _expect(node: Node, defaults: dict[str, Any], required: tuple[str, ...] = ()) -> None:
    for key, expected in defaults.items():
        given = node.attributes.get(key, None if key in required else expected)
        if given != expected:
            raise ValueError(f"{node.name} has {key} {given!r}; expected {expected!r}")


_OPERATIONS: dict[str, Operation] = {
    "Const": _const,
    "Conv2D": _convolution,
    "DepthToSpace": _shuffle,
    "Transpose": _transpose,
    "Tanh": _tanh,
    "Relu": _relu,
    "Abs": _abs,
    "Mul": _product,
    **dict.fromkeys(("Add", "AddV2", "BiasAdd", "Sub"), _sum),
}

"""FSRCNN and ESPCN as the frozen TensorFlow graphs that cv2.dnn_superres reads.

Its networks see full-range luma, ours the luma of BT.601: Y = 16/255 + 219/255 Y' goes before the first convolution,
its inverse into the last one. The chroma is OpenCV's there, enlarged bilinearly, not bicubically as in our own models.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from subpixel.errors import BadRequest
from subpixel.imports.graphdef import Node
from subpixel.nn.arch import Arch
from subpixel.nn.upsampling import SubPixelConv, WideConv

_RANGE, _OFFSET = 219 / 255, 16 / 255


def nodes(network: Arch) -> list[Node]:
    """The graph of a network in its deploy form.

    Raises: BadRequest for a network that is no FSRCNN or ESPCN.
    """
    layers, tail = _layers(network)
    graph = [Node("IteratorGetNext", "Placeholder", (), {"dtype": 1})]
    graph += _with_constant("range", "Mul", "IteratorGetNext", _RANGE)
    graph += _with_constant("luma", "Add", "range", _OFFSET)
    last = "luma"
    for number, layer in enumerate(layers, start=1):
        graph += _layer(f"layer{number}", layer, last)
        last = f"layer{number}"
    graph += _convolution("phases", tail, last)
    shuffle = {"T": 1, "block_size": network.config.scale, "data_format": b"NHWC"}
    graph.append(Node("NHWC_output", "DepthToSpace", ("phases",), shuffle))
    order = np.array([0, 3, 1, 2], np.int32)
    graph.append(Node("NCHW_output/perm", "Const", (), {"dtype": 3, "value": order}))
    return [*graph, Node("NCHW_output", "Transpose", ("NHWC_output", "NCHW_output/perm"), {"T": 1, "Tperm": 3})]


def _layers(network: Arch) -> tuple[Sequence[nn.Module], nn.Conv2d]:
    """What comes before the shuffle: layers, and the last convolution, to full-range luma."""
    body = getattr(network, "body", None)
    layers: list[nn.Module] = list(body) if isinstance(body, nn.Sequential) else []
    tail = network.tail if hasattr(network, "tail") else layers.pop() if layers else None
    if isinstance(tail, WideConv):
        tail = tail.unblock()
    known = (nn.Conv2d, nn.PReLU, nn.Tanh)
    phases = network.config.scale**2
    if not (isinstance(tail, nn.Conv2d) and tail.out_channels == phases and all(isinstance(e, known) for e in layers)):
        raise BadRequest(f"opencv-pb holds networks like FSRCNN and ESPCN, not {type(network).__name__}")
    return layers, _full_range(tail)


@torch.no_grad()
def _full_range(conv: nn.Conv2d) -> nn.Conv2d:
    scaled = SubPixelConv(conv.in_channels, 1, conv.kernel_size[0], round(conv.out_channels**0.5))
    scaled.weight.copy_(conv.weight / _RANGE)
    bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias
    assert scaled.bias is not None
    scaled.bias.copy_((bias - _OFFSET) / _RANGE)
    return scaled


def _layer(name: str, layer: nn.Module, x: str) -> list[Node]:
    if isinstance(layer, nn.Conv2d):
        return _convolution(name, layer, x)
    if isinstance(layer, nn.PReLU):
        return _prelu(name, layer, x)
    return [Node(name, "Tanh", (x,), {"T": 1})]


def _convolution(name: str, conv: nn.Conv2d, x: str) -> list[Node]:
    """A convolution and its bias."""
    kernel = np.ascontiguousarray(conv.weight.detach().numpy().transpose(2, 3, 1, 0))
    bias = np.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach().numpy()
    options = {"T": 1, "strides": (1, 1, 1, 1), "dilations": (1, 1, 1, 1), "padding": b"SAME", "data_format": b"NHWC"}
    sums = f"{name}/sums"
    weights = [_constant(f"{name}/kernel", kernel), Node(sums, "Conv2D", (x, f"{name}/kernel"), options)]
    return [*weights, *_with_constant(name, "Add", sums, bias)]


def _prelu(name: str, layer: nn.PReLU, x: str) -> list[Node]:
    """relu(x) + slope (x - |x|) / 2, as OpenCV's own files have it."""
    parts = [
        Node(f"{name}/relu", "Relu", (x,), {"T": 1}),
        Node(f"{name}/abs", "Abs", (x,), {"T": 1}),
        Node(f"{name}/twice", "Sub", (x, f"{name}/abs"), {"T": 1}),
        *_with_constant(f"{name}/sloped", "Mul", f"{name}/twice", layer.weight.detach().numpy()),
        *_with_constant(f"{name}/negative", "Mul", f"{name}/sloped", 0.5),
    ]
    return [*parts, Node(name, "Add", (f"{name}/relu", f"{name}/negative"), {"T": 1})]


def _with_constant(name: str, op: str, x: str, value: Any) -> list[Node]:
    return [_constant(f"{name}/y", value), Node(name, op, (x, f"{name}/y"), {"T": 1})]


def _constant(name: str, value: Any) -> Node:
    return Node(name, "Const", (), {"dtype": 1, "value": np.asarray(value, np.float32)})

"""Folds a network on RGB into one on gray: what it makes of three equal channels, averaged, at a third of the ends.

Exact where the network is a plain stack, as swift and restore are: one convolution reads the image, less a constant,
and one gives the phases of the enlargement, which are added to the nearest neighbour's and shuffled. The first one's
weights are summed over the inputs, the last one's averaged over the colours. And where it sees nothing but the luma,
as ESPCN and FSRCNN: three equal channels have no chroma to enlarge.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_RGB = 3


def fold_gray(proto: ModelProto) -> bool:
    """Turns a graph from RGB `low` to `high` into one from gray to gray; False, and untouched, for other shapes of it.

    The new one computes mean_c f(y, y, y)_c.
    """
    graph = _Graph(proto)
    folded = graph.fold_stack() or graph.fold_luma()
    if folded:
        for value in (proto.graph.input[0], proto.graph.output[0]):
            value.type.tensor_type.shape.dim[1].dim_value = 1
        del proto.graph.value_info[:]
    return folded


class _Graph:
    """The nodes and tensors of a model, by name."""

    def __init__(self, proto: ModelProto) -> None:
        from onnx import numpy_helper

        self._graph = proto.graph
        self._maker = {name: node for node in proto.graph.node for name in node.output}
        self._users: dict[str, list[NodeProto]] = defaultdict(list)
        for node in proto.graph.node:
            for name in node.input:
                self._users[name].append(node)
        self._tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
        self._array = numpy_helper.to_array

    def fold_stack(self) -> bool:
        """A plain stack: low - c -> Conv ... Conv + nearest(low) -> DepthToSpace."""
        subs = [node for node in self._users["low"] if node.op_type == "Sub"]
        heads = [user for sub in subs for user in self._users[sub.output[0]]]
        tail, nearest = self._summed()
        if len(subs) != 1 or len(heads) != 1 or not tail or not nearest or not self._repeats(nearest):
            return False
        head, offset = heads[0], self._tensors.get(subs[0].input[1])
        if not (_is_conv(head) and _is_conv(tail) and offset and self._array(offset).size == 1):
            return False
        weight, last, bias = (self._tensors[name] for name in (head.input[1], *tail.input[1:3]))
        self._set(weight.name, self._array(weight).sum(1, keepdims=True))
        self._set(last.name, _mean_over_colours(self._array(last)))
        self._set(bias.name, _mean_over_colours(self._array(bias)))
        return True

    def _summed(self) -> tuple[NodeProto | None, NodeProto | None]:
        """The two that are added up before the shuffle that gives the result."""
        shuffle = self._maker["high"]
        added = self._maker.get(shuffle.input[0])
        if shuffle.op_type != "DepthToSpace" or not added or added.op_type != "Add":
            return None, None
        return self._maker.get(added.input[0]), self._maker.get(added.input[1])

    def _repeats(self, node: NodeProto) -> bool:
        """Whether it is the repetition of each channel of `low`, whatever their number."""
        expand = self._maker.get(node.input[0])
        unsqueeze = self._maker.get(expand.input[0]) if expand and expand.op_type == "Expand" else None
        shape = self._maker.get(node.input[1])
        free = [self._tensors[name] for name in shape.input if name in self._tensors] if shape else []
        return bool(
            node.op_type == "Reshape"
            and unsqueeze
            and unsqueeze.input[0] == "low"
            and [self._array(tensor).tolist() for tensor in free] == [[-1]]
        )

    def fold_luma(self) -> bool:
        """A network on luma: chroma(low) + (y, y, y) -> DepthToSpace, where y comes of a linear sum of the channels."""
        from onnx import helper

        (chroma, copies), luma = self._summed(), self._luma()
        if not (chroma and copies and luma and _is_conv(chroma) and chroma.input[1].startswith("chroma.")):
            return False
        if copies.op_type != "Concat" or len(copies.input) != _RGB or len(set(copies.input)) != 1:
            return False
        shuffle, (name, gain, offset) = self._maker["high"], luma
        level = float(self._array(self._tensors[chroma.input[2]])[0])
        constants = {"gray.gain": gain, "gray.offset": offset, "gray.level": level}
        for key, value in constants.items():
            self._set(key, np.array(value, np.float32))
        kept = self._reaching(copies.input[0], name)
        del self._graph.node[:]
        self._graph.node.extend(
            [
                helper.make_node("Mul", ["low", "gray.gain"], ["gray.scaled"]),
                helper.make_node("Add", ["gray.scaled", "gray.offset"], [name]),
                *kept,
                helper.make_node("Add", [copies.input[0], "gray.level"], [shuffle.input[0]]),
                shuffle,
            ]
        )
        return True

    def _luma(self) -> tuple[str, float, float] | None:
        """The luma's name, gain and offset for three equal channels: the sum of Slice * weight, plus a constant."""
        muls = [user for s in self._users["low"] if s.op_type == "Slice" for user in self._users[s.output[0]]]
        weights = [self._tensors.get(node.input[1]) for node in muls if node.op_type == "Mul"]
        if len(weights) != _RGB or None in weights:
            return None
        node = muls[0]
        while node.op_type in ("Mul", "Add") and len(self._users[node.output[0]]) == 1:
            (user,) = self._users[node.output[0]]
            if user.op_type != "Add":
                break
            node = user
        offset = self._tensors.get(node.input[1])
        if node.op_type != "Add" or offset is None or self._array(offset).size != 1:
            return None
        gain = sum(float(self._array(weight)) for weight in weights if weight is not None)
        return node.output[0], gain, float(self._array(offset))

    def _reaching(self, result: str, start: str) -> list[NodeProto]:
        """The nodes that make `result` of `start` and of the image's size, in their order."""
        wanted, kept = {result}, list[Any]()
        for node in reversed(self._graph.node):
            if wanted & set(node.output) and start not in node.output:
                wanted |= set(node.input)
                kept.insert(0, node)
        return kept

    def _set(self, name: str, array: NDArray[Any]) -> None:
        from onnx import numpy_helper

        if name not in self._tensors:
            self._tensors[name] = self._graph.initializer.add()
        self._tensors[name].CopyFrom(numpy_helper.from_array(np.asarray(array, np.float32), name))


def _is_conv(node: NodeProto) -> bool:
    groups = [attribute.i for attribute in node.attribute if attribute.name == "group"]
    return node.op_type == "Conv" and groups in ([], [1])


def _mean_over_colours(array: NDArray[Any]) -> NDArray[Any]:
    """3 s^2 ... -> s^2 ..., as the shuffle orders the channels: colour before phase."""
    return array.reshape(_RGB, -1, *array.shape[1:]).mean(0)

"""Folds a condition into the weights of a graph: the network that is left is told nothing and costs nothing more."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest
from subpixel.models.card import Condition

if TYPE_CHECKING:
    from onnx import ModelProto

PREFIX = "condition."
"""What the names of a condition's own tensors begin with; no node of the graph reads them."""


def fold(proto: ModelProto, condition: Condition, values: Mapping[str, float]) -> None:
    """Scales and shifts the conditioned layers of a graph and drops the condition's own tensors.

    Raises: BadRequest for a value that is missing, unknown or not finite.
    """
    from onnx import numpy_helper

    numbers = _ordered(condition, values)
    tensors = {t.name: t for t in proto.graph.initializer}
    arrays = {name: numpy_helper.to_array(t).astype(np.float32) for name, t in tensors.items()}
    offset, modulation = 0, _modulation(arrays, numbers)
    for layer in condition.layers:
        weight, bias = arrays[f"{layer}.weight"], arrays[f"{layer}.bias"]
        gain, shift = modulation[offset : offset + 2 * len(bias)].reshape(2, -1)
        offset += 2 * len(bias)
        for name, folded in (("weight", weight * (1 + gain)[:, None, None, None]), ("bias", bias * (1 + gain) + shift)):
            tensors[f"{layer}.{name}"].CopyFrom(numpy_helper.from_array(folded.astype(np.float32), f"{layer}.{name}"))
    kept = [t for t in proto.graph.initializer if not t.name.startswith(PREFIX)]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)


def _ordered(condition: Condition, values: Mapping[str, float]) -> NDArray[np.float32]:
    if set(values) != set(condition.values):
        raise BadRequest(f"the condition has {', '.join(sorted(values)) or 'no values'}; expected "
                         f"{', '.join(condition.values)}")  # fmt: skip
    for name, value in values.items():
        if not math.isfinite(value):
            raise BadRequest(f"the condition's {name} is {value}; expected a finite number")
    return np.array([values[name] for name in condition.values], np.float32)


def _modulation(arrays: Mapping[str, NDArray[np.float32]], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The multilayer perceptron of `nn.conditioning.Modulation`: linear layers with SiLU between them."""
    names = sorted({name.rpartition(".")[0] for name in arrays if name.startswith(PREFIX)})
    for name in names:
        x = arrays[f"{name}.weight"] @ x + arrays[f"{name}.bias"]
        if name != names[-1]:
            x = (x / (1 + np.exp(-x))).astype(np.float32)
    return x

"""Pieces of the TensorFlow graphs that the tests write themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.imports.graphdef import Node

SAME = {"strides": (1, 1, 1, 1), "padding": b"SAME", "data_format": b"NHWC", "T": 1}


def const(name: str, values: Any) -> Node:
    array = np.asarray(values)
    array = array.astype(np.int32 if array.dtype.kind == "i" else np.float32)
    return Node(name, "Const", (), {"dtype": 3 if array.dtype == np.int32 else 1, "value": array})


def conv(name: str, x: str, kernel: NDArray[Any], bias: NDArray[Any]) -> list[Node]:
    """A convolution and its bias, as `name`."""
    return [
        const(f"{name}/w", kernel),
        const(f"{name}/b", bias),
        Node(f"{name}/c", "Conv2D", (x, f"{name}/w"), SAME),
        Node(name, "BiasAdd", (f"{name}/c", f"{name}/b"), {"T": 1, "data_format": b"NHWC"}),
    ]

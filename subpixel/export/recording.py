"""The ONNX graph of a foreign network, recorded while it runs."""

from __future__ import annotations

import io
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.models import store

if TYPE_CHECKING:
    from onnx import ModelProto


def recorded(network: nn.Module, side: int = 0) -> ModelProto:
    """The graph of a network from `low`, N 3 H W, to `high`; with a side, from 1 3 side side.

    Whatever its Python code decides from the size becomes a constant: whether that matters has to be compared.
    """
    buffer = io.BytesIO()
    axes = {"low": {0: "batch", 2: "height", 3: "width"}, "high": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes that become constants
        torch.onnx.export(
            network,
            (torch.rand(1, 3, side or 40, side or 50),),
            cast("Any", buffer),
            input_names=["low"],
            output_names=["high"],
            dynamic_axes=None if side else axes,
            opset_version=17,
            dynamo=False,
        )
    return store.parse(Path("export"), buffer.getvalue())


@contextmanager
def recordable() -> Generator[None]:
    """Says functions of torch that ONNX has no operations for with others, as long as a network runs."""
    with (
        patch.object(torch, "sort", _sort),
        patch.object(F, "adaptive_max_pool2d", _pool),
        patch.object(F, "fold", _fold),
    ):
        yield


def _sort(x: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Sorted values and indices; equal integers keep their order, which torch leaves open (ATD sorts such)."""
    count = x.shape[dim]
    if x.is_floating_point():
        return torch.topk(x, count, dim, largest=descending)
    places = torch.ones_like(x).cumsum(dim)
    _, order = torch.topk(x * (count + 1) + (-places if descending else places), count, dim, largest=descending)
    return x.gather(dim, order), order


def _fold(x: Tensor, output_size: int, kernel_size: int, stride: int) -> Tensor:
    """Blocks of pixels, N C k^2 L, added up where they lie, N C S S: a transposed convolution by unit kernels (IPT)."""
    count, channels = (output_size - kernel_size) // stride + 1, int(x.shape[1]) // kernel_size**2
    unit = torch.eye(kernel_size**2).reshape(-1, 1, kernel_size, kernel_size).repeat(channels, 1, 1, 1)
    return F.conv_transpose2d(x.reshape(-1, int(x.shape[1]), count, count), unit, stride=stride, groups=channels)


_adaptive_max_pool2d = F.adaptive_max_pool2d


def _pool(x: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Adaptive pooling to a fraction of the size is pooling by a constant kernel."""
    if not isinstance(output_size, tuple) or not isinstance(output_size[0], Tensor):
        return _adaptive_max_pool2d(x, output_size, return_indices)
    kernel = [int(have) // int(wanted) for have, wanted in zip(x.shape[-2:], output_size, strict=True)]
    return F.max_pool2d(x, kernel)

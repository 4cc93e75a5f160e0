"""The ONNX graph of a foreign network, recorded while it runs."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
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
    silent = patch("torch._C._jit_onnx_log", lambda *_: None)  # a whole graph on standard output
    with warnings.catch_warnings(), silent:
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
    """Says functions of torch that ONNX has no operations for with others, as long as a network runs.

    Noise that a network draws becomes its mean: an image has one enlargement.
    """
    with (
        patch.object(torch, "sort", _sort),
        patch.object(torch, "randn", torch.zeros),
        patch.object(torch, "randn_like", torch.zeros_like),
        patch.object(torch.fft, "rfft2", _rfft2),
        patch.object(torch.fft, "irfft2", _irfft2),
        patch.object(F, "conv2d", _convolution),
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


_conv2d = F.conv2d


def _convolution(x: Tensor, weight: Tensor, *rest: Any, **options: Any) -> Tensor:
    """The exporter wants to know a kernel's size, also where the kernel is computed (AuraSR)."""
    if not isinstance(weight, nn.Parameter):
        weight = weight.reshape([int(n) for n in weight.shape])
    return _conv2d(x, weight, *rest, **options)


_adaptive_max_pool2d = F.adaptive_max_pool2d


def _pool(x: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Adaptive pooling to a fraction of the size is pooling by a constant kernel."""
    if not isinstance(output_size, tuple) or not isinstance(output_size[0], Tensor):
        return _adaptive_max_pool2d(x, output_size, return_indices)
    kernel = [int(have) // int(wanted) for have, wanted in zip(x.shape[-2:], output_size, strict=True)]
    return F.max_pool2d(x, kernel)


@dataclass(frozen=True)
class _Spectrum:
    """The half spectrum of real blocks, ... N N/2+1, in two real tensors: ONNX has no complex ones (FFTformer)."""

    real: Tensor
    imaginary: Tensor

    def __mul__(self, other: _Spectrum | Tensor) -> _Spectrum:
        if isinstance(other, Tensor):
            return _Spectrum(self.real * other, self.imaginary * other)
        return _Spectrum(
            self.real * other.real - self.imaginary * other.imaginary,
            self.real * other.imaginary + self.imaginary * other.real,
        )


def _waves(size: int) -> tuple[Tensor, Tensor]:
    """cos and sin of 2 pi k n / size, size x size."""
    n = torch.arange(size, dtype=torch.float32)
    angle = 2 * math.pi / size * (n[:, None] * n % size)
    return angle.cos(), angle.sin()


def _rfft2(x: Tensor) -> _Spectrum:
    cosine, sine = _waves(int(x.shape[-1]))
    half = int(x.shape[-1]) // 2 + 1
    across, turned = x @ cosine[:, :half], x @ sine[:, :half]
    return _Spectrum(cosine @ across - sine @ turned, -(sine @ across + cosine @ turned))


def _irfft2(spectrum: _Spectrum, s: tuple[int, int]) -> Tensor:
    """Square blocks of an even size; every column but the first and the last stands for its mirror image too."""
    size = s[0]
    cosine, sine = _waves(size)
    half = size // 2 + 1
    twice = torch.full((half, 1), 2.0 / size**2)
    twice[0] = twice[-1] = 1 / size**2
    real = cosine @ spectrum.real - sine @ spectrum.imaginary
    imaginary = sine @ spectrum.real + cosine @ spectrum.imaginary
    return real @ (cosine[:half] * twice) - imaginary @ (sine[:half] * twice)

"""Networks of the community, recognised by spandrel from their weights alone, and run in torch as spandrel has them."""

from __future__ import annotations

import importlib
import io
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import torch
from torch import Tensor, nn

from subpixel.errors import BadWeights, MissingExtra, RuntimeUnavailable, unread
from subpixel.models import store

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class ForeignNetwork:
    """A network that was recognised."""

    network: nn.Module
    """N 3 H W in [0, 1] -> N 3 sH sW, for sides that are multiples of `multiple` and at least `minimum`."""
    arch: str
    """The architecture, as spandrel calls it."""
    scale: int
    multiple: int = 1
    minimum: int = 0

    @property
    def any_size(self) -> nn.Module:
        """The network for any H and W: the image is reflected at its far edges, as far as the network requires."""
        return _Reflected(self).eval() if self.minimum or self.multiple > 1 else self.network


def load(path: Path) -> ForeignNetwork:
    """The network whose weights are in a .pth, .pt, .ckpt or .safetensors file. Nothing in the file is executed.

    Raises: BadWeights for a file that is damaged, holds more than weights, or is no network from images to
    images; MissingExtra without spandrel; RuntimeUnavailable where its torchvision does not fit torch.
    """
    spandrel = _spandrel()
    weights = read_weights(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of functions that will change in torch
            network = spandrel.ModelLoader(device="cpu").load_from_state_dict(spandrel.canonicalize_state_dict(weights))
    except spandrel.UnsupportedModelError:
        raise BadWeights(path, "spandrel recognises no architecture in it") from None
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise BadWeights(path, f"its weights do not fit: {' '.join(str(error).split())[:200]}") from None
    arch = str(network.architecture.name)
    channels = network.input_channels, network.output_channels
    if not isinstance(network, spandrel.ImageModelDescriptor) or channels not in ((3, 3), (1, 1)):
        raise BadWeights(path, f"{arch} with {channels[0]} channels in and {channels[1]} out does not enlarge images")
    if network.scale < 1:
        raise BadWeights(path, f"{arch} makes images smaller")
    module = _OfColours(network.float()).eval().requires_grad_(False)
    needs = network.size_requirements
    return ForeignNetwork(module, arch, network.scale, needs.multiple_of, needs.minimum)


class _OfColours(nn.Module):
    """A network of 3 channels, or of 1 that takes each channel by itself."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.network, self.call = descriptor.model, descriptor._call_fn
        self.channels, self.scale = descriptor.input_channels, descriptor.scale

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        y = self.call(self.network, x.reshape(-1, self.channels, h, w))
        return y.reshape(n, 3, h * self.scale, w * self.scale)


class _Reflected(nn.Module):
    """A network for any size."""

    def __init__(self, foreign: ForeignNetwork) -> None:
        super().__init__()
        self.network, self.scale = foreign.network, foreign.scale
        self.multiple, self.minimum = foreign.multiple, foreign.minimum

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2:]
        y = self.network(x.index_select(2, self._indices(h)).index_select(3, self._indices(w)))
        return y[..., : h * self.scale, : w * self.scale]

    def _indices(self, side: Any) -> Tensor:
        """Of the pixels on an axis, and back again as far as the network requires, as spandrel does it."""
        wanted: Any = torch.as_tensor(side).clamp(min=self.minimum)  # while it is exported, a side is a tensor
        last = torch.as_tensor(side - 1)
        indices = torch.arange((wanted + self.multiple - 1) // self.multiple * self.multiple)
        # without abs, which OpenVINO 2026.4 gets wrong for constant integers
        return torch.minimum(indices, 2 * last - indices).clamp(min=0)


def exported(network: nn.Module, side: int = 0) -> ModelProto:
    """The graph of a network from `low`, N 3 H W, to `high`; with a side, from 1 3 side side.

    Traced, not captured by torch.export, which ends the process on SPAN. Whatever the network's Python code decides
    from the size becomes a constant: whether that matters has to be compared.
    Raises: whatever the exporter or the network raises.
    """
    buffer = io.BytesIO()
    axes = {"low": {0: "batch", 2: "height", 3: "width"}, "high": {0: "batch"}}
    silent = patch("torch._C._jit_onnx_log", lambda *_: None)  # prints the whole graph where an operation is missing
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


def read_weights(path: Path) -> dict[str, Any]:
    """What a file of weights holds; a pickle is read as weights only. Raises: BadWeights."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise BadWeights(
            path, "it is damaged, or holds more than weights, which is refused: it could run code"
        ) from None
    except OSError as error:
        raise BadWeights(path, unread(error)) from None
    except Exception as error:  # a damaged archive raises nearly anything, text that is no pickle a bare number
        why = " ".join(str(error).split())[:200]
        raise BadWeights(path, "it is damaged, or no file of weights" + (f" ({why})" if " " in why else "")) from None


def _spandrel() -> Any:
    try:
        return importlib.import_module("spandrel")
    except ImportError as error:
        raise MissingExtra(error.name or "spandrel", "community") from None
    except RuntimeError as error:  # of torchvision
        why = " ".join(str(error).split())[:200]
        raise RuntimeUnavailable(f"spandrel cannot be used: {why}; install a torchvision that fits torch") from None

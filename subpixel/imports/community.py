"""Networks of the community, recognised by spandrel from their weights alone.

spandrel imports torchvision for two of its architectures, LaMa (inpainting) and RestoreFormer (faces); neither enlarges
images. Without torchvision everything else works: the two names that are missing are stood in for while it is
imported.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from subpixel.errors import BadWeights, MissingExtra
from subpixel.imports.recording import recordable

_TORCHVISION = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")


Call = Callable[[nn.Module, Tensor], Tensor]
"""How a network is called: some take or return more than the image."""


@dataclass(frozen=True)
class Found:
    """A network that was recognised."""

    network: nn.Module
    """N 3 H W in [0, 1] -> N 3 sH sW, for any H and W."""
    name: str
    """The architecture, as spandrel calls it."""
    scale: int
    multiple: int
    """The sides that the network itself computes are multiples of this."""
    side: int = 0
    """Of the only image that the network takes; 0 for any."""


def load(path: Path) -> Found:
    """The network whose weights are in a .pth, .pt, .ckpt or .safetensors file. Nothing in the file is executed.

    Raises: BadWeights for a file that is damaged, holds more than weights, or is no network from images to
    images; MissingExtra without spandrel.
    """
    spandrel = _spandrel()
    weights = _weights(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of functions that will change in torch
            found = spandrel.ModelLoader(device="cpu").load_from_state_dict(spandrel.canonicalize_state_dict(weights))
    except spandrel.UnsupportedModelError:
        raise BadWeights(path, "spandrel recognises no architecture in it") from None
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise BadWeights(path, f"its weights do not fit: {' '.join(str(error).split())[:200]}") from None
    name = str(found.architecture.name)
    channels = found.input_channels, found.output_channels
    if not isinstance(found, spandrel.ImageModelDescriptor) or channels not in ((3, 3), (1, 1)):
        raise BadWeights(path, f"{name} with {channels[0]} channels in and {channels[1]} out does not enlarge images")
    if found.scale < 1:
        raise BadWeights(path, f"{name} makes images smaller")
    needs = found.size_requirements
    call, side = (_ipt, found.model.patch_size) if name == "IPT" else (found._call_fn, 0)
    network = _Any(found.float().model.eval(), call, channels[0], found.scale, needs)
    return Found(network.eval().requires_grad_(False), name, found.scale, needs.multiple_of, side)


def _ipt(network: Any, x: Tensor) -> Tensor:
    """IPT on a square of its size; spandrel cuts larger images itself, which here the tiles do."""
    network.set_scale(network.scale.index(max(network.scale)))
    return network(x * network.rgb_range) / network.rgb_range


class _Any(nn.Module):
    """A network of 1 or 3 channels as one of three for any size: reflected at the far edges, gray by channels."""

    def __init__(self, network: nn.Module, call: Call, channels: int, scale: int, needs: Any) -> None:
        super().__init__()
        self.network, self.call, self.channels, self.scale = network, call, channels, scale
        self.multiple, self.minimum = needs.multiple_of, needs.minimum

    def forward(self, x: Tensor) -> Tensor:
        n, _, h, w = x.shape
        x = x.reshape(-1, self.channels, h, w)
        if self.minimum or self.multiple > 1:
            x = x.index_select(2, self._places(h)).index_select(3, self._places(w))
        with recordable():
            y = self.call(self.network, x)
        y = y[..., : h * self.scale, : w * self.scale]
        return y.reshape(n, 3, h * self.scale, w * self.scale)

    def _places(self, side: Any) -> Tensor:
        """Of the pixels on an axis, and back again as far as the network requires, as spandrel does it."""
        wanted = torch.as_tensor(side).clamp(min=self.minimum)  # while it is recorded, a side is a tensor
        last = torch.as_tensor(side - 1)
        places = torch.arange((wanted + self.multiple - 1) // self.multiple * self.multiple)
        # without abs, which OpenVINO 2026.4 gets wrong for constant integers
        return torch.minimum(places, 2 * last - places).clamp(min=0)


def _weights(path: Path) -> dict[str, Any]:
    """What a file of weights holds; a pickle is read as weights only."""
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
        raise BadWeights(path, error.strerror or str(error)) from None
    except Exception as error:  # a damaged archive raises nearly anything
        raise BadWeights(path, f"it is damaged ({' '.join(str(error).split())[:200]})") from None


def _spandrel() -> Any:
    if importlib.util.find_spec("spandrel") is None:
        raise MissingExtra("spandrel", "community")
    with _without_torchvision():
        return importlib.import_module("spandrel")


class _Absent(ModuleType):
    """A module that is not installed; what is imported from it cannot be used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Absent(f"{self.__name__}.{name}")


@contextmanager
def _without_torchvision() -> Generator[None]:
    absent = {} if importlib.util.find_spec("torchvision") else {name: _Absent(name) for name in _TORCHVISION}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]

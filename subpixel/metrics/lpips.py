"""LPIPS: how far two images are apart in the features of a classifier (needs the `train` extra)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from subpixel.errors import BadRequest, BadWeights, unread
from subpixel.metrics.protocol import same_shape


class Fire(nn.Module):
    """SqueezeNet's block (Iandola et al. 2016): 1x1 to few channels, then 1x1 and 3x3 side by side."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


def _alexnet() -> nn.Sequential:
    """The features of AlexNet as torchvision numbers them (Krizhevsky 2014, one tower)."""
    convolutions = [
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.Conv2d(64, 192, 5, padding=2),
        nn.Conv2d(192, 384, 3, padding=1), nn.Conv2d(384, 256, 3, padding=1),
        nn.Conv2d(256, 256, 3, padding=1),
    ]  # fmt: skip
    layers: list[nn.Module] = []
    for k, convolution in enumerate(convolutions):
        layers += [nn.MaxPool2d(3, 2)] if k in (1, 2) else []
        layers += [convolution, nn.ReLU()]
    return nn.Sequential(*layers)


def _squeezenet() -> nn.Sequential:
    """The features of SqueezeNet 1.1 as torchvision numbers them."""

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    return nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192),
        Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip


_NETWORKS = {
    "alex": (_alexnet, {1: 64, 4: 192, 7: 384, 9: 256, 11: 256}),
    "squeeze": (_squeezenet, {1: 64, 4: 128, 7: 256, 9: 384, 10: 384, 11: 512, 12: 512}),
}
"""Each network with the layers after which it is tapped, and their channels."""


class Lpips(nn.Module):
    """Learned perceptual distance, version 0.1 (Zhang et al., CVPR 2018); 0 for equal images."""

    shift: Tensor
    scale: Tensor

    def __init__(self, network: str) -> None:
        super().__init__()
        features, self.taps = _NETWORKS[network]
        self.features = features()
        self.lin = nn.ModuleList(nn.Conv2d(channels, 1, 1, bias=False) for channels in self.taps.values())
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1), persistent=False)

    def forward(self, result: Tensor, reference: Tensor) -> Tensor:
        """N 3 H W in [0, 1], twice -> N distances."""
        pairs = zip(self._tapped(result), self._tapped(reference), self.lin, strict=True)
        return torch.stack([head((a - b) ** 2).mean(dim=(1, 2, 3)) for a, b, head in pairs]).sum(dim=0)

    def _tapped(self, x: Tensor) -> list[Tensor]:
        """The features after each tap, of length 1 along the channels."""
        x = (x * 2 - 1 - self.shift) / self.scale
        tapped: list[Tensor] = []
        for k, layer in enumerate(self.features):
            x = layer(x)
            if k in self.taps:  # unlike that of a square root, the norm's gradient at 0 is finite
                tapped.append(x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10))
        return tapped

    def distance(self, result: NDArray[Any], reference: NDArray[Any]) -> float:
        """The distance of two images, H W 3 in [0, 1], prepared under a Protocol without luma.

        Raises: BadRequest for images that differ in shape, are not RGB, or have a side below 32 pixels.
        """
        same_shape(result, reference)
        if result.ndim != 3 or result.shape[2] != 3 or min(result.shape[:2]) < 32:
            raise BadRequest(f"LPIPS takes RGB images of at least 32x32 pixels, not {result.shape}")
        x, y = (torch.from_numpy(p.transpose(2, 0, 1)[None].astype(np.float32)) for p in (result, reference))
        with torch.inference_mode():
            return float(self.forward(x, y))


def load(path: str | Path) -> Lpips:
    """LPIPS with the weights of a safetensors file; the file decides between AlexNet and SqueezeNet.

    The file: torchvision's `features.*` and the linear heads `linK.model.1.weight` of version 0.1.
    Raises: BadWeights if it cannot be read or holds something else.
    """
    try:
        weights = load_file(path)
    except OSError as error:
        raise BadWeights(path, unread(error)) from None
    except SafetensorError as error:
        raise BadWeights(path, f"{error}; expected a .safetensors of LPIPS 0.1") from None
    renamed = {re.sub(r"^lin(\d)\.model\.1", r"lin.\1", key): value for key, value in weights.items()}
    network = Lpips("squeeze" if "features.3.squeeze.weight" in weights else "alex")
    try:
        network.load_state_dict(renamed)
    except RuntimeError:
        raise BadWeights(path, "expected the features and heads of LPIPS 0.1") from None
    return network.eval().requires_grad_(False)

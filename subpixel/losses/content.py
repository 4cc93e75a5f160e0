"""The content loss of SRGAN: images compared in the features of VGG19 (Ledig et al. 2017, equation 5)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from subpixel.errors import BadWeights, UnknownName, unread

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 4, 4, 4)
LAYERS = tuple(f"{i}_{j}" for i, depth in enumerate(DEPTHS, 1) for j in range(1, depth + 1))
"""The layers by the paper's names: i_j is the j-th convolution, after its ReLU, before the i-th pooling."""
_EXPECTED = "expected VGG19's weights as .pth or .safetensors"
RESCALE = 1 / 12.75
"""The paper's factor for the features: it brings the loss to the size of a pixel loss."""


class Content(nn.Module):
    """Mean squared difference of VGG19 features: RGB N 3 H W in [0, 1], twice -> a mean.

    The feature network is not trained and is not part of a checkpoint.
    """

    gain: Tensor
    offset: Tensor

    def __init__(self, features: nn.Sequential, gain: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.features = features.eval().requires_grad_(False)
        self.register_buffer("gain", gain)
        self.register_buffer("offset", offset)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """N 3 H W in [0, 1], twice -> one number; no gradient flows into the target."""
        with torch.no_grad():
            target_features = self._features(target)
        return ((self._features(output) - target_features) ** 2).mean() * RESCALE**2

    def _features(self, rgb: Tensor) -> Tensor:
        return self.features(rgb * self.gain + self.offset).float()


def load(path: Path, layer: str = "5_4") -> Content:
    """The content loss of a layer, from a file of VGG19's convolutions under torchvision's names (features.0.weight).

    A .pth file is torchvision's own (colours normalised by ImageNet's mean and spread); a .safetensors file holds the
    original weights, for BGR in 0..255 less the mean colour, in half precision or as 8-bit integers with
    weight_scale and weight_min.
    Raises: UnknownName for a layer that VGG19 lacks, BadWeights for a file that holds something else.
    """
    if layer not in LAYERS:
        raise UnknownName("VGG19 layer", layer, LAYERS)
    features = _vgg19(layer)
    original = path.suffix != ".pth"
    stored = _stored(path)
    try:
        weights = _floats(stored)
        features.load_state_dict({k: weights[f"features.{k}"] for k in features.state_dict()})
    except (KeyError, RuntimeError, AttributeError):
        raise BadWeights(path, "expected VGG19's convolutions as features.N.weight and .bias") from None
    if not original:
        spread = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        return Content(features, 1 / spread, -torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1) / spread)
    first = features[0]
    assert isinstance(first, nn.Conv2d)
    with torch.no_grad():  # BGR in, as the weights want it: the first convolution's inputs change places
        first.weight.copy_(first.weight.flip(1))
    mean = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    return Content(features, torch.full((1, 3, 1, 1), 255.0), -mean)


def _vgg19(last: str) -> nn.Sequential:
    """VGG19 from its first convolution to the ReLU of `last` (Simonyan and Zisserman 2015, configuration E)."""
    layers: list[nn.Module] = []
    inputs = 3
    for i, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True), 1):
        for j in range(1, depth + 1):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
            if f"{i}_{j}" == last:
                return nn.Sequential(*layers)
        layers.append(nn.MaxPool2d(2))
    raise AssertionError(last)


def _floats(stored: dict[str, Any]) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = {}
    for key, value in stored.items():
        if key.endswith("weight_u8"):
            name = key.removesuffix("_u8")
            value = value.float() * stored[f"{name}_scale"].float() + stored[f"{name}_min"].float()
            weights[name] = value
        elif not re.search(r"weight_(scale|min)$", key):
            weights[key] = value.float()
    return weights


def _stored(path: Path) -> dict[str, Any]:
    """What a file holds by name; of a checkpoint, as `state_dict` in it, the weights."""
    try:
        stored = torch.load(path, weights_only=True, map_location="cpu") if path.suffix == ".pth" else load_file(path)
    except OSError as error:
        raise BadWeights(path, unread(error)) from None
    except Exception:  # a damaged archive raises nearly anything, and torch advises to run the code in a pickle
        raise BadWeights(path, f"it is damaged, or holds more than weights; {_EXPECTED}") from None
    stored = stored.get("state_dict", stored) if isinstance(stored, dict) else stored
    if not isinstance(stored, dict):
        raise BadWeights(path, f"it holds no weights by name; {_EXPECTED}")
    return stored

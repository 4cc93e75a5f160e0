"""The U-Net discriminator of Real-ESRGAN (Wang et al. 2021, arXiv:2107.10833, section 3.4): a logit for every pixel."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_LEVELS = 3


class UNetDiscriminator(nn.Module):
    """Which pixels are a photo's? RGB in [0, 1], N 3 H W, sides multiples of 8 -> N 1 H W logits.

    features: channels at full size; they double at each of three halvings. Spectral normalisation (Miyato et al.
    2018) bounds how fast a logit changes with the image, which keeps the game stable on degraded images.
    """

    def __init__(self, features: int = 64) -> None:
        super().__init__()
        widths = [features << level for level in range(_LEVELS + 1)]
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.down = nn.ModuleList(_normed(fine, coarse, 4, stride=2) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(_normed(coarse, fine, 3) for coarse, fine in pairwise(reversed(widths)))
        self.last = nn.ModuleList([_normed(features, features, 3), _normed(features, features, 3)])
        self.logit = nn.Conv2d(features, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 1 H W, logits that a pixel is a photo's."""
        skips, features = list[Tensor](), _leaky(self.first(x * 2 - 1))
        for down in self.down:
            skips.append(features)
            features = _leaky(down(features))
        for up, skip in zip(self.up, reversed(skips), strict=True):
            enlarged = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
            features = _leaky(up(enlarged)) + skip
        for layer in self.last:
            features = _leaky(layer(features))
        return self.logit(features)


def _normed(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, side, stride, padding=1, bias=False))


def _leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)

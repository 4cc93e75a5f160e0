"""Laplacian pyramids (Lai et al. 2017): each level doubles the image and adds detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from subpixel.nn.arch import Arch, ConfigT
from subpixel.nn.luma import luma, with_luma
from subpixel.nn.scales import ByScale
from subpixel.nn.upsampling import Bicubic, as_subpixel

SLOPE = 0.2
"""The negative slope of every leaky ReLU of the papers."""


class Level(nn.Module):
    """One doubling: features C H W -> C 2H 2W; luma 1 H W -> 1 2H 2W, with a residual from the features."""

    def __init__(self, embed: nn.Module, up: nn.Module, features: int) -> None:
        super().__init__()
        self.embed, self.up = embed, up
        self.residual = conv(features, 1)
        self.enlarge: nn.Module = nn.ConvTranspose2d(1, 1, 4, 2, 1, bias=False)

    def forward(self, features: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Features, N C H W, and luma, N 1 H W -> both at twice the sides."""
        features = self.up(self.embed(features))
        with torch.autocast(y.device.type, enabled=False):
            enlarged = self.enlarge(y)
        return features, enlarged + self.residual(features).float()


class Pyramid(Arch[ConfigT]):
    """A head and levels on luma; with fewer levels than doublings the last level repeats itself.

    No layer has a bias: the papers' parameter counts are without.
    """

    SCALES = (2, 4, 8)

    def __init__(self, config: ConfigT, head: nn.Module, levels: Sequence[Level], scales: Sequence[int]) -> None:
        super().__init__(config)
        self.head = head
        self.levels = nn.ModuleList(levels)
        self.bicubic = ByScale(scales, Bicubic)
        self._initialise()

    @property
    def supported_scales(self) -> tuple[int, ...]:
        return self.bicubic.scales

    @property
    def doublings(self) -> int:
        """Levels that are walked: log2 of the scale."""
        return self.config.scale.bit_length() - 1

    def pyramid(self, y: Tensor) -> list[Tensor]:
        """The luma N 1 H W at twice its size, four times ..., up to the scale."""
        features, outputs = self.head(y), list[Tensor]()
        for n in range(self.doublings):
            features, y = self.levels[min(n, len(self.levels) - 1)](features, y)
            outputs.append(y)
        return outputs

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 3 sH sW, not clipped: the last level's luma in a bicubic enlargement."""
        return with_luma(self.bicubic.of(self.config.scale)(x), self.pyramid(luma(x))[-1])

    def outputs(self, x: Tensor, port: str = "", **condition: Tensor) -> list[tuple[Tensor, int]]:
        levels = enumerate(self.pyramid(luma(x)), start=1)
        return [(with_luma(self.bicubic.of(2**n)(x), y), 2**n) for n, y in levels]

    def deploy(self) -> Self:
        deployed = super().deploy()
        deployed.levels = deployed.levels[: self.doublings]
        for module in list(deployed.modules()):
            for name, child in module.named_children():
                if isinstance(child, nn.ConvTranspose2d):
                    setattr(module, name, as_subpixel(child))
        return deployed

    @torch.no_grad()
    def _initialise(self) -> None:
        """He's normal weights; the image starts out bilinearly enlarged."""
        bilinear = torch.tensor([0.25, 0.75, 0.75, 0.25])
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                widest = max(layer.in_channels, layer.out_channels)
                if widest > 1:
                    nn.init.normal_(layer.weight, std=(2 / (9 * widest)) ** 0.5)
                else:
                    layer.weight.copy_(torch.outer(bilinear, bilinear))


def conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution without bias."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def doubling(features: int, kernel: int) -> nn.ConvTranspose2d:
    """A transposed convolution of 3x3 or 4x4, C H W -> C 2H 2W, without bias."""
    return nn.ConvTranspose2d(features, features, kernel, 2, 1, output_padding=4 - kernel, bias=False)

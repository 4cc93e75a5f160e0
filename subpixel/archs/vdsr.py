"""VDSR (Kim et al., CVPR 2016, arXiv:1511.04587): twenty convolutions refine the bicubic luma."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.halo import bicubic, convolution, halo
from subpixel.nn.luma import luma_refined
from subpixel.nn.scales import ByScale
from subpixel.nn.upsampling import Bicubic


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor; it touches the bicubic enlargement alone."""
    layers: int = 20
    """Convolutions, the first and the last included (D in the paper)."""
    features: int = 64
    """Channels of every hidden layer."""


class VDSR(Arch[Config]):
    """3x3 convolutions without biases on the enlarged luma; the same weights serve every scale."""

    paper = Paper("Accurate Image Super-Resolution Using Very Deep Convolutional Networks", 2016, "1511.04587")
    EXAMPLE = Config(layers=5, features=8)
    SCALES = (2, 3, 4, 5, 6, 7, 8)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.bicubic = ByScale(self.SCALES, Bicubic)
        widths = [1, *[config.features] * (config.layers - 1), 1]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")
            layers += [conv, nn.ReLU()]
        self.body = nn.Sequential(*layers[:-1])
        _near_identity_init(self.body)

    @property
    def halo(self) -> int:
        return halo(self.config.scale, bicubic(self.config.scale), convolution(self.config.layers))

    @property
    def supported_scales(self) -> tuple[int, ...]:
        return self.bicubic.scales

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 3 sH sW, not clipped: bicubic, with a residual added to its luma."""
        return luma_refined(lambda y: y + self.body(y).float(), self.bicubic.of(self.config.scale)(x))


@torch.no_grad()
def _near_identity_init(body: nn.Sequential) -> None:
    """Hidden layers begin close to the identity and the last at 0: the image starts as bicubic, and learns sooner."""
    first, *hidden, last = [layer for layer in body if isinstance(layer, nn.Conv2d)]
    for conv in hidden:
        conv.weight.mul_(0.1).add_(nn.init.dirac_(torch.empty_like(conv.weight)))
    first.weight.sub_(first.weight.mean((2, 3), keepdim=True))
    last.weight.zero_()

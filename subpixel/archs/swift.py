"""swift: our own plain stack of 3x3 convolutions on RGB, shaped for the vector units of a CPU.

No branch, no attention, no pooling: widths are multiples of 16, every layer is a 3x3 convolution with a PReLU, the
tail is a sub-pixel convolution, and what is learned is the difference to nearest-neighbour enlargement. While it
trains, each convolution is the product of a wide one and a 1x1, with an identity path (SESR, arXiv:2103.09404);
deployed it is plain.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.collapsible import CollapsibleConv
from subpixel.nn.upsampling import nearest_phases


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor."""
    channels: int = 32
    """Width of every hidden layer."""
    layers: int = 9
    """3x3 convolutions, the tail included."""
    expansion: int = 128
    """Width inside a convolution while it trains."""
    colours: int = 3
    """Channels of an image."""


class Swift(Arch[Config]):
    """Plain 3x3 convolutions at low resolution, shuffled at the end over a nearest-neighbour enlargement."""

    paper = Paper("subpixel's own, after SESR and ABPN: collapsible convolutions, nearest-neighbour anchor", 2026)
    EXAMPLE = Config(channels=8, layers=3, expansion=16)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c, p = config.channels, config.expansion
        head: list[nn.Module] = [CollapsibleConv(config.colours, c, 3, p), nn.PReLU(c)]
        for _ in range(config.layers - 2):
            head += [CollapsibleConv(c, c, 3, p, identity=True), nn.PReLU(c)]
        self.body = nn.Sequential(*head, CollapsibleConv(c, config.colours * config.scale**2, 3, p))

    @property
    def halo(self) -> int:
        return self.config.layers

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped: what the body adds to the nearest-neighbour enlargement."""
        residual = self.body(x - 0.5).float()
        return F.pixel_shuffle(residual + nearest_phases(x, self.config.scale), self.config.scale)

    def deploy(self) -> Self:
        deployed = copy.deepcopy(self).eval()
        deployed.body = nn.Sequential(*(m.collapse() if isinstance(m, CollapsibleConv) else m for m in deployed.body))
        return deployed

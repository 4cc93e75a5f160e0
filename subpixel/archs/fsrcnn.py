"""FSRCNN (Dong et al., ECCV 2016, arXiv:1608.00367): shrink, map, expand at low resolution, then deconvolve."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.halo import convolution, halo, transposed
from subpixel.nn.init import identity_init
from subpixel.nn.luma import Chroma, luma, luma_only
from subpixel.nn.upsampling import WideConv, as_subpixel


@dataclass(frozen=True)
class Config:
    scale: int = 3
    """Upscaling factor."""
    d: int = 56
    """Channels of the feature extraction."""
    s: int = 12
    """Channels of the mapping layers."""
    m: int = 4
    """Number of mapping layers."""


class FSRCNN(Arch[Config]):
    """An hourglass of narrow convolutions on luma with a 9x9 transposed convolution as its tail."""

    paper = Paper("Accelerating the Super-Resolution Convolutional Neural Network", 2016, "1608.00367")
    EXAMPLE = Config(d=8, s=4, m=2)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        d, s, scale = config.d, config.s, config.scale
        layers: list[nn.Module] = [nn.Conv2d(1, d, 5, padding=2), nn.PReLU(d), nn.Conv2d(d, s, 1), nn.PReLU(s)]
        for _ in range(config.m):
            layers += [nn.Conv2d(s, s, 3, padding=1), nn.PReLU(s)]
        layers += [nn.Conv2d(s, d, 1), nn.PReLU(d)]
        self.body = nn.Sequential(*layers)
        self.tail: nn.Module = nn.ConvTranspose2d(d, 1, 9, stride=scale, padding=4, output_padding=scale - 1)
        self.chroma = Chroma(scale)
        self._initialise()

    @property
    def halo(self) -> int:
        scale = self.config.scale
        return halo(scale, convolution(2 + self.config.m), transposed(9, scale, 4))

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 3 sH sW, not clipped: luma by the network, chroma bicubic."""
        features = self.body(luma(x))
        phases = self.tail(features)
        if isinstance(self.tail, nn.ConvTranspose2d):
            phases = F.pixel_unshuffle(phases, self.config.scale)
        return luma_only(phases, x, self.chroma)

    def deploy(self) -> Self:
        deployed = copy.deepcopy(self).eval()
        tail = as_subpixel(deployed.tail) if isinstance(deployed.tail, nn.ConvTranspose2d) else deployed.tail
        if isinstance(tail, nn.Conv2d):
            deployed.tail = WideConv(tail, 2)
        return deployed

    @torch.no_grad()
    def _initialise(self) -> None:
        """Starts as nearest-neighbour enlargement: the first channel carries the luma, the tail spreads it."""
        assert isinstance(self.tail, nn.ConvTranspose2d)
        assert self.tail.bias is not None
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, a=0.25)
                identity_init(layer, colours=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)
        self.tail.weight[0, 0, 4 : 4 + self.config.scale, 4 : 4 + self.config.scale] = 1

"""SRCNN (Dong et al., ECCV 2014, TPAMI 2016, arXiv:1501.00092): bicubic first, then three convolutions on luma."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.halo import bicubic, convolution, halo
from subpixel.nn.init import identity_init, zero_mean_init
from subpixel.nn.luma import luma_refined
from subpixel.nn.upsampling import Bicubic, WideConv


@dataclass(frozen=True)
class Config:
    scale: int = 3
    """Upscaling factor."""
    kernels: tuple[int, int, int] = (9, 5, 5)
    """Kernel sizes f1, f2, f3 of the paper: 9-1-5, 9-3-5 or 9-5-5."""
    features: tuple[int, int] = (64, 32)
    """Channels n1, n2 of the paper."""


class SRCNN(Arch[Config]):
    """Patch extraction, non-linear mapping, reconstruction: three convolutions on the enlarged luma."""

    paper = Paper("Image Super-Resolution Using Deep Convolutional Networks", 2014, "1501.00092")
    EXAMPLE = Config(features=(8, 4))

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        (f1, f2, f3), (n1, n2) = config.kernels, config.features
        self.bicubic = Bicubic(config.scale)
        self.features = nn.Sequential(
            nn.Conv2d(1, n1, f1, padding=f1 // 2), nn.ReLU(), nn.Conv2d(n1, n2, f2, padding=f2 // 2), nn.ReLU()
        )
        self.tail: nn.Module = nn.Conv2d(n2, 1, f3, padding=f3 // 2)
        zero_mean_init(self.features[0], 2, 2)
        for layer in (self.features[0], self.features[2], self.tail):  # begins as bicubic enlargement
            identity_init(layer, colours=1)

    @property
    def halo(self) -> int:
        radius = sum(k // 2 for k in self.config.kernels)
        return halo(self.config.scale, bicubic(self.config.scale), convolution(radius))

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 3 sH sW, not clipped: bicubic, with its luma refined."""
        return luma_refined(lambda y: self.tail(self.features(y)), self.bicubic(x))

    def deploy(self) -> Self:
        deployed = copy.deepcopy(self).eval()
        if isinstance(deployed.tail, nn.Conv2d):
            deployed.tail = WideConv(deployed.tail, self.config.scale)
        return deployed

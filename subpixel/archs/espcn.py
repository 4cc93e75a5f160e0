"""ESPCN (Shi et al., CVPR 2016, arXiv:1609.05158): convolve the luma at low resolution, shuffle at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.init import identity_init, zero_mean_init
from subpixel.nn.luma import Chroma, luma, luma_only
from subpixel.nn.upsampling import SubPixelConv


@dataclass(frozen=True)
class Config:
    scale: int = 3
    """Upscaling factor."""
    features: tuple[int, int] = (64, 32)
    """Channels after the first and the second convolution (n1, n2 in the paper)."""


class ESPCN(Arch[Config]):
    """Three convolutions on luma, the last one sub-pixel."""

    paper = Paper(
        "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network",
        2016,
        "1609.05158",
    )
    EXAMPLE = Config(features=(8, 4))

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        n1, n2 = config.features
        self.body = nn.Sequential(
            nn.Conv2d(1, n1, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(n1, n2, 3, padding=1),
            nn.Tanh(),
            SubPixelConv(n2, 1, 3, config.scale),
        )
        zero_mean_init(self.body[0], 4, 25)  # strong enough for tanh to bend at an edge
        identity_init(self.body[0], gain=0.5, bias=-0.25, colours=1)  # begins close to nearest-neighbour enlargement:
        identity_init(self.body[2], colours=1)  # between -1/4 and 1/4, tanh hardly bends
        identity_init(self.body[4], config.scale**2, gain=2.0, bias=0.5, colours=1)
        self.chroma = Chroma(config.scale)

    @property
    def halo(self) -> int:
        return 2 + 1 + 1

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 3 sH sW, not clipped: luma by the network, chroma bicubic."""
        features = self.body[:-1](luma(x))
        tail = cast("SubPixelConv", self.body[-1])
        return luma_only(tail.phases(features), x, self.chroma)

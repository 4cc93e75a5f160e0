"""MDSR (Lim et al., CVPRW 2017, arXiv:1707.02921): scales with heads and tails of their own share a trunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from subpixel.nn.affine import add_mean, scaled_input, subtract_mean
from subpixel.nn.arch import Arch, Paper
from subpixel.nn.halo import convolution, halo, subpixel
from subpixel.nn.init import identity_init, zero_init
from subpixel.nn.residual import ResidualBlock
from subpixel.nn.scales import ByScale, stages
from subpixel.nn.upsampling import subpixel_stages

PEAK = 255.0
"""Inside, colours run from 0 to 255 around their mean, as in the paper."""


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor that is computed."""
    scales: tuple[int, ...] = (2, 3, 4)
    """Upscaling factors that have a head and a tail."""
    blocks: int = 16
    """Residual blocks of the trunk (B in the paper)."""
    features: int = 64
    """Channels of every hidden layer (F in the paper)."""
    colours: int = 3
    """Channels of an image."""


class MDSR(Arch[Config]):
    """Two 5x5 residual blocks before the trunk and the stages behind it belong to a scale, the rest to all.

    The defaults are the paper's baseline; the full network has 80 blocks.
    """

    paper = Paper("Enhanced Deep Residual Networks for Single Image Super-Resolution", 2017, "1707.02921")
    EXAMPLE = Config(scales=(2, 3, 4, 8), blocks=1, features=8)
    SCALES = (2, 3, 4, 8)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c, colours = config.features, config.colours
        self.input = subtract_mean(PEAK, colours)
        self.head = nn.Conv2d(colours, c, 3, padding=1)
        self.enter = ByScale(config.scales, lambda _: _preprocessing(c))
        blocks = [ResidualBlock(c) for _ in range(config.blocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(c, c, 3, padding=1))
        self.up = ByScale(config.scales, lambda scale: nn.Sequential(*subpixel_stages(c, stages(scale), colours)))
        self.tail = nn.Conv2d(c, colours, 3, padding=1)
        self.output = add_mean(PEAK, colours)
        # with the stages and the tail: begins as nearest-neighbour enlargement
        identity_init(self.head, colours=colours)
        zero_init(self.body[-1])
        identity_init(self.tail, colours=colours)

    @property
    def supported_scales(self) -> tuple[int, ...]:
        return self.up.scales

    @property
    def halo(self) -> int:
        low = convolution(1 + 2 * 4 + 2 * self.config.blocks + 1)
        return halo(self.config.scale, low, *subpixel(self.config.scale), convolution(1))

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped: head and tail of the scale around the common trunk."""
        features = self.enter.of(self.config.scale)(self.head(self.input(x)))
        features = features + self.body(features)
        return self.output(self.tail(self.up.of(self.config.scale)(features)).float())

    def deploy(self) -> Self:
        deployed = super().deploy()
        deployed.head = scaled_input(deployed.head, deployed.input.gain)
        deployed.input = subtract_mean(colours=self.config.colours)
        return deployed


def _preprocessing(features: int) -> nn.Sequential:
    blocks = [ResidualBlock(features, 5) for _ in range(2)]
    for block in blocks:
        zero_init(block.body[2])
    return nn.Sequential(*blocks)

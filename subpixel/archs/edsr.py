"""EDSR (Lim et al., CVPRW 2017, arXiv:1707.02921): residual blocks without normalisation."""

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
    """Upscaling factor."""
    blocks: int = 16
    """Residual blocks (B in the paper)."""
    features: int = 64
    """Channels of every hidden layer (F in the paper)."""
    residual_scale: float = 1.0
    """Factor of each block's residual; 0.1 keeps wide networks stable."""
    colours: int = 3
    """Channels of an image."""


class EDSR(Arch[Config]):
    """One skip over all residual blocks at low resolution; the defaults are the paper's baseline.

    The full network has 32 blocks of 256 features and a residual scale of 0.1.
    """

    paper = Paper("Enhanced Deep Residual Networks for Single Image Super-Resolution", 2017, "1707.02921")
    EXAMPLE = Config(blocks=2, features=8)
    SCALES = (2, 3, 4, 8)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config.features
        self.input = subtract_mean(PEAK, config.colours)
        self.head = nn.Conv2d(config.colours, c, 3, padding=1)
        blocks = [ResidualBlock(c, scale=config.residual_scale) for _ in range(config.blocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(c, c, 3, padding=1))
        self.tail = ByScale([config.scale], lambda scale: _tail(c, scale, config.colours))
        self.output = add_mean(PEAK, config.colours)
        identity_init(self.head, colours=config.colours)  # with the tail: begins as nearest-neighbour enlargement
        zero_init(self.body[-1])

    @property
    def halo(self) -> int:
        low = convolution(1 + 2 * self.config.blocks + 1)
        return halo(self.config.scale, low, *subpixel(self.config.scale), convolution(1))

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped; inside, colours lie around their mean."""
        features = self.head(self.input(x))
        features = features + self.body(features)
        return self.output(self.tail.of(self.config.scale)(features).float())

    def deploy(self) -> Self:
        deployed = super().deploy()
        deployed.head = scaled_input(deployed.head, deployed.input.gain)
        deployed.input = subtract_mean(colours=self.config.colours)
        for block in deployed.body:
            if isinstance(block, ResidualBlock):
                block.fold()
        return deployed


def _tail(features: int, scale: int, colours: int) -> nn.Sequential:
    last = nn.Conv2d(features, colours, 3, padding=1)
    identity_init(last, colours=colours)
    return nn.Sequential(*subpixel_stages(features, stages(scale), colours), last)

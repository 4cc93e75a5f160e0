"""CARN and CARN-M (Ahn et al., ECCV 2018, arXiv:1803.08664): cascades inside a cascade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from subpixel.nn.affine import Affine, add_mean, folded_output, subtract_mean
from subpixel.nn.arch import Arch, Paper
from subpixel.nn.halo import convolution, halo, subpixel
from subpixel.nn.init import identity_init
from subpixel.nn.scales import ByScale, stages

STEPS = 3
"""Units of a cascade, and cascades of the network."""
LIFT = 0.5
"""What keeps colours, whose mean is taken off, above the zero of the ReLUs while the network begins."""


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor that is computed."""
    scales: tuple[int, ...] = (2, 3, 4)
    """Upscaling factors that have their own sub-pixel stages."""
    features: int = 64
    """Channels of every hidden layer."""
    groups: int = 1
    """Groups of the 3x3 convolutions; above one a unit ends in a 1x1 convolution (efficient block)."""
    recursive: bool = False
    """Whether the three units of a block share their weights."""
    colours: int = 3
    """Channels of an image."""


class CARN(Arch[Config]):
    """Three cascading blocks of three residual units, then the sub-pixel stages of each scale.

    CARN-M is groups = 4 and recursive = True.
    """

    paper = Paper(
        "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network", 2018, "1803.08664"
    )
    EXAMPLE = Config(features=8)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c, colours = config.features, config.colours
        self.input = subtract_mean(colours=colours)
        self.head = nn.Conv2d(colours, c, 3, padding=1)
        self.body = Cascade([_block(config) for _ in range(STEPS)], config)
        self.up = ByScale(config.scales, lambda scale: _stages(config, scale))
        self.tail = nn.Conv2d(c, colours, 3, padding=1)
        self.output: nn.Module = add_mean(colours=colours)
        # with the stages and the cascades: begins as nearest-neighbour enlargement
        identity_init(self.head, bias=LIFT, colours=colours)
        identity_init(self.tail, bias=-LIFT, colours=colours)

    @property
    def supported_scales(self) -> tuple[int, ...]:
        return self.up.scales

    @property
    def halo(self) -> int:
        low = convolution(1 + 2 * STEPS * STEPS)
        return halo(self.config.scale, low, *subpixel(self.config.scale), convolution(1))

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped: the cascade at low resolution, then the stages of the scale."""
        features = self.body(self.head(self.input(x)))
        return self.output(self.tail(self.up.of(self.config.scale)(features)).float())

    def deploy(self) -> Self:
        deployed = super().deploy()
        if isinstance(deployed.output, Affine):
            deployed.tail, deployed.output = folded_output(deployed.tail, deployed.output), nn.Identity()
        return deployed


class Cascade(nn.Module):
    """Three units, after each a 1x1 convolution of everything so far; a single unit is used thrice."""

    def __init__(self, units: Sequence[nn.Module], config: Config) -> None:
        super().__init__()
        c = config.features
        self.units = nn.ModuleList(units)
        self.mix = nn.ModuleList(nn.Sequential(nn.Conv2d(c * n, c, 1), nn.ReLU()) for n in range(2, STEPS + 2))
        for mix in self.mix:
            identity_init(mix.get_submodule("0"), colours=config.colours)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for n, mix in enumerate(self.mix):
            features = torch.cat([features, self.units[n % len(self.units)](x)], dim=1)
            x = mix(features)
        return x


class Unit(nn.Module):
    """relu(x + body(x)): a residual block, or the efficient one of CARN-M (figures 4a and 4b)."""

    def __init__(self, features: int, groups: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(features, features, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.Conv2d(features, features, 3, padding=1, groups=groups),
        ]
        if groups > 1:
            layers += [nn.ReLU(), nn.Conv2d(features, features, 1)]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


def _block(config: Config) -> Cascade:
    units = 1 if config.recursive else STEPS
    return Cascade([Unit(config.features, config.groups) for _ in range(units)], config)


def _stages(config: Config, scale: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for factor in stages(scale):
        conv = nn.Conv2d(config.features, config.features * factor**2, 3, padding=1, groups=config.groups)
        identity_init(conv, factor**2, colours=config.colours)
        layers += [conv, nn.ReLU(), nn.PixelShuffle(factor)]
    return nn.Sequential(*layers)

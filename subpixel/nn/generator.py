"""The network of Ledig et al. 2017: SRResNet, and SRGAN's generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from subpixel.nn.affine import Affine, fold_batchnorm, folded_output
from subpixel.nn.arch import Arch
from subpixel.nn.halo import convolution, halo, subpixel
from subpixel.nn.init import identity_init, zero_init
from subpixel.nn.residual import NormalisedBlock, conv_norm
from subpixel.nn.scales import ByScale, stages
from subpixel.nn.upsampling import SubPixelConv, WideConv


@dataclass(frozen=True)
class Config:
    scale: int = 4
    """Upscaling factor."""
    blocks: int = 16
    """Residual blocks (B in the paper)."""
    features: int = 64
    """Channels of every hidden layer."""
    batch_norm: bool = True
    """False where batches are too small for it; deployed, both are the same network."""
    colours: int = 3
    """Channels of an image."""


class Generator(Arch[Config]):
    """Batch-normalised residual blocks at low resolution between 9x9 convolutions, sub-pixel stages."""

    SCALES = (2, 3, 4, 8)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config.features
        self.head = nn.Sequential(nn.Conv2d(config.colours, c, 9, padding=4), nn.PReLU())
        blocks = [NormalisedBlock(c, config.batch_norm) for _ in range(config.blocks)]
        self.body = nn.Sequential(*blocks, *conv_norm(c, config.batch_norm))
        self.tail = ByScale([config.scale], lambda scale: _tail(c, scale, config.colours))
        self.output: nn.Module = Affine(0.5, [0.5] * config.colours)  # the paper's [-1, 1] -> [0, 1]
        self._initialise()

    def _initialise(self) -> None:
        """Begins as nearest-neighbour enlargement: colours pass, and the blocks add nothing yet."""
        tail, colours = self.tail.of(self.config.scale), self.config.colours
        assert isinstance(tail, nn.Sequential)
        identity_init(self.head[0], colours=colours)
        zero_init(self.body[-1])
        for layer in tail:
            if isinstance(layer, SubPixelConv):
                identity_init(layer, layer.scale**2, colours=colours)
        identity_init(tail[-1], gain=2.0, bias=-1.0, colours=colours)

    @property
    def halo(self) -> int:
        low = convolution(4 + 2 * self.config.blocks + 1)
        return halo(self.config.scale, low, *subpixel(self.config.scale), convolution(4))

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped."""
        features = self.head(x)
        features = features + self.body(features)
        return self.output(self.tail.of(self.config.scale)(features).float())

    def deploy(self) -> Self:
        deployed = super().deploy()
        for block in deployed.body:
            if isinstance(block, NormalisedBlock):
                block.fold()
        deployed.body = fold_batchnorm(deployed.body)
        tail = deployed.tail.of(self.config.scale)
        assert isinstance(tail, nn.Sequential)
        last, output = tail[-1], deployed.output
        if isinstance(last, nn.Conv2d):
            folded = folded_output(last, output) if isinstance(output, Affine) else last
            tail[-1] = WideConv(folded, stages(self.config.scale)[-1])
            deployed.output = nn.Identity()
        return deployed


def _tail(features: int, scale: int, colours: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for factor in stages(scale):
        layers += [SubPixelConv(features, features, 3, factor), nn.PReLU()]
    return nn.Sequential(*layers, nn.Conv2d(features, colours, 9, padding=4))

"""Real-ESRGAN's compact network (Wang et al., ICCVW 2021, arXiv:2107.10833; SRVGGNetCompact in its code)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.upsampling import nearest_phases


@dataclass(frozen=True)
class Config:
    scale: int = 4
    """Upscaling factor."""
    features: int = 64
    """Width of every hidden layer."""
    layers: int = 32
    """3x3 convolutions between the first and the last."""
    colours: int = 3
    """Channels of an image."""


class Compact(Arch[Config]):
    """Plain 3x3 convolutions with PReLU at low resolution, shuffled over a nearest-neighbour enlargement.

    The state dict has the names of the published files.
    """

    paper = Paper(
        "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", 2021, "2107.10833"
    )
    EXAMPLE = Config(scale=2, features=8, layers=2)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c = config.features
        body: list[nn.Module] = [nn.Conv2d(config.colours, c, 3, padding=1), nn.PReLU(c)]
        for _ in range(config.layers):
            body += [nn.Conv2d(c, c, 3, padding=1), nn.PReLU(c)]
        self.body = nn.Sequential(*body, nn.Conv2d(c, config.colours * config.scale**2, 3, padding=1))

    @property
    def halo(self) -> int:
        return self.config.layers + 2

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped: what the body adds to the nearest-neighbour enlargement."""
        residual = self.body(x).float()
        return F.pixel_shuffle(residual + nearest_phases(x, self.config.scale), self.config.scale)

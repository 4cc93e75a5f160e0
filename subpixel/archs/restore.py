"""restore: our own network for real images, which undoes the degradation that it is told.

The body is swift's in its deploy form; each of its convolutions is scaled and shifted by what is known of the image
(FiLM, Perez et al. 2018), so that one network serves clean, compressed, noisy and blurred images alike. For one image
the condition is folded into the weights and costs nothing. The scales are trained with one body; x1, which cleans
without enlarging, went on alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.condition import CONDITION
from subpixel.errors import BadRequest
from subpixel.nn.arch import Arch, Paper
from subpixel.nn.conditioning import Modulation, modulated
from subpixel.nn.scales import ByScale
from subpixel.nn.upsampling import nearest_phases


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor that is computed."""
    scales: tuple[int, ...] = (1, 2, 4)
    """Upscaling factors that have a tail."""
    channels: int = 64
    """Width of every hidden layer."""
    layers: int = 15
    """3x3 convolutions of the body."""
    colours: int = 3
    """Channels of an image: 1 or 3, of which inspection can tell what is wrong."""


class Restore(Arch[Config]):
    """Plain 3x3 convolutions, each modulated by the condition, over a nearest-neighbour enlargement."""

    paper = Paper("subpixel's own, after Real-ESRGAN's compact network and FiLM: told its degradation", 2026)
    EXAMPLE = Config(scales=(1, 2, 4), channels=8, layers=2)
    SCALES = (1, 2, 4)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c, colours = config.channels, config.colours
        if colours not in (1, 3):
            raise BadRequest(f"Restore is told what is wrong with an image of 1 or 3 channels, not of {colours}")
        self.body = nn.ModuleList(nn.Conv2d(c if k else colours, c, 3, padding=1) for k in range(config.layers))
        self.act = nn.ModuleList(nn.PReLU(c) for _ in range(config.layers))
        self.tail = ByScale(config.scales, lambda scale: nn.Conv2d(c, colours * scale**2, 3, padding=1))
        self.condition = Modulation(CONDITION, {f"body.{k}": c for k in range(config.layers)})

    @property
    def supported_scales(self) -> tuple[int, ...]:
        return self.tail.scales

    @property
    def halo(self) -> int:
        return self.config.layers + 1

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """N C H W in [0, 1], and N K, what is wrong with each (None: nothing is told) -> N C sH sW, not clipped."""
        modulations = {} if condition is None or self.condition is None else self.condition(condition)
        scale, features = self.config.scale, x - 0.5
        for k, (convolution, act) in enumerate(zip(self.body, self.act, strict=True)):
            features = act(modulated(convolution(features), modulations.get(f"body.{k}")))
        residual = self.tail.of(scale)(features).float()
        return F.pixel_shuffle(residual + nearest_phases(x, scale), scale)

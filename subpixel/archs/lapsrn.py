"""LapSRN (Lai et al., CVPR 2017, arXiv:1704.03915): a pyramid doubles the luma level by level."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from subpixel.nn.arch import Paper
from subpixel.nn.halo import Step, convolution, halo, transposed
from subpixel.nn.pyramid import SLOPE, Level, Pyramid, conv, doubling


@dataclass(frozen=True)
class Config:
    scale: int = 4
    """Upscaling factor: two to the number of levels."""
    depth: int = 10
    """3x3 convolutions of a level, before its transposed convolution (d in the paper)."""
    features: int = 64
    """Channels of every hidden layer."""
    kernel: int = 3
    """Size of the features' transposed convolutions: 3, as the published counts have it, or 4."""


class LapSRN(Pyramid[Config]):
    """Each level has its own weights; the levels of a smaller scale are the first ones of a larger."""

    paper = Paper("Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution", 2017, "1704.03915")
    EXAMPLE = Config(depth=2, features=8)

    def __init__(self, config: Config) -> None:
        head = nn.Sequential(conv(1, config.features), nn.LeakyReLU(SLOPE))
        doublings = range(1, config.scale.bit_length())
        super().__init__(config, head, [_level(config) for _ in doublings], [2**n for n in doublings])

    @property
    def halo(self) -> int:
        level: list[Step] = [convolution(self.config.depth), transposed(self.config.kernel, 2, 1)]
        return halo(self.config.scale, convolution(1), *level * self.doublings, convolution(1))


def _level(config: Config) -> Level:
    c = config.features
    embed = [layer for _ in range(config.depth) for layer in (conv(c, c), nn.LeakyReLU(SLOPE))]
    up = nn.Sequential(doubling(c, config.kernel), nn.LeakyReLU(SLOPE))
    return Level(nn.Sequential(*embed), up, c)

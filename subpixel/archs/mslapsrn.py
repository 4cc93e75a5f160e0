"""MS-LapSRN (Lai et al., TPAMI 2018, arXiv:1710.01992): one recursive level serves every size."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from subpixel.nn.arch import Paper
from subpixel.nn.halo import Step, convolution, halo, transposed
from subpixel.nn.init import zero_init
from subpixel.nn.pyramid import SLOPE, Level, Pyramid, conv, doubling


@dataclass(frozen=True)
class Config:
    scale: int = 4
    """Upscaling factor that is computed; the weights serve 2, 4 and 8."""
    depth: int = 5
    """3x3 convolutions of a recursive block (D in the paper)."""
    recursions: int = 8
    """How often a level runs its block (R in the paper)."""
    features: int = 64
    """Channels of every hidden layer."""


class MSLapSRN(Pyramid[Config]):
    """LapSRN with its weights shared across levels and, inside a level, across recursive blocks."""

    paper = Paper("Fast and Accurate Image Super-Resolution with Deep Laplacian Pyramid Networks", 2018, "1710.01992")
    EXAMPLE = Config(depth=2, recursions=2, features=8)

    def __init__(self, config: Config) -> None:
        c = config.features
        up = nn.Sequential(nn.LeakyReLU(SLOPE), doubling(c, 3))
        recursion = Recursion(c, config.depth, config.recursions)
        super().__init__(config, conv(1, c), [Level(recursion, up, c)], self.SCALES)
        zero_init(recursion.block[-1])  # however many, the recursions add nothing yet: the network learns sooner

    @property
    def halo(self) -> int:
        embed = convolution(self.config.depth * self.config.recursions)
        level: list[Step] = [embed, transposed(3, 2, 1)]
        return halo(self.config.scale, convolution(1), *level * self.doublings, convolution(1))


class Recursion(nn.Module):
    """A pre-activated block run again and again, the level's input added each time (shared-source skip)."""

    def __init__(self, features: int, depth: int, recursions: int) -> None:
        super().__init__()
        layers = [layer for _ in range(depth) for layer in (nn.LeakyReLU(SLOPE), conv(features, features))]
        self.block = nn.Sequential(*layers)
        self.recursions = recursions

    def forward(self, source: Tensor) -> Tensor:
        x = source
        for _ in range(self.recursions):
            x = source + self.block(x)
        return x

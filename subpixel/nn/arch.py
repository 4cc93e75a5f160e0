"""What every architecture is: a torch module with a frozen configuration, a paper and a halo."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor, nn


@dataclass(frozen=True)
class Paper:
    """Where a network was published."""

    title: str
    year: int
    arxiv: str = ""


class ScaleConfig(Protocol):
    """What every configuration has: the upscaling factor."""

    @property
    def scale(self) -> int: ...


class Arch(nn.Module):
    """A super-resolution network: RGB in [0, 1], N 3 H W -> N 3 sH sW, for any H, W >= 1, not clipped.

    Luma-only processing, normalisation and the first enlargement of pre-upsampling networks happen inside, so that
    every runtime computes the same.
    """

    paper: ClassVar[Paper]
    Config: ClassVar[type[Any]]
    scales: ClassVar[tuple[int, ...]] = (2, 3, 4)
    """The factors the configuration accepts."""

    config: Any

    def __init__(self, config: ScaleConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def halo(self) -> int:
        """Low-resolution pixels around an output pixel that can change it: exact, so that tiles have no seams."""
        raise NotImplementedError

    def deploy(self) -> Arch:
        """The same function as plain, fast layers: training-time branches folded, exact rewrites applied."""
        return copy.deepcopy(self).eval()

    def targets(self, output: Tensor, scale: int) -> list[tuple[Tensor, int]]:
        """The outputs a loss sees, each with its scale; a pyramid has several."""
        return [(output, scale)]

    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(x)

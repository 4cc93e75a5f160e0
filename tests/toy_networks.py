"""Toys with other ports than most (a map as an input, a vector, frames with a memory, a condition), and faulty ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.conditioning import Modulation, modulated
from subpixel.ports import Port, Ports


@dataclass(frozen=True)
class Config:
    scale: int = 2


class Toy(Arch[Config]):
    """Two 3x3 convolutions and a shuffle."""

    paper = Paper("a toy", 2026)
    EXAMPLE = Config()
    inputs = 3

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.head = nn.Conv2d(self.inputs, 8, 3, padding=1)
        self.tail = nn.Conv2d(8, 3 * config.scale**2, 3, padding=1)

    @property
    def halo(self) -> int:
        return 2

    def high(self, features: Tensor) -> Tensor:
        return F.pixel_shuffle(self.tail(torch.relu(features)), self.config.scale)

    def forward(self, low: Tensor) -> Tensor:
        return self.high(self.head(low))


class MapInput(Toy):
    """Told the noise of each pixel by a map."""

    inputs = 4

    @property
    def ports(self) -> Ports:
        return Ports((Port("low"), Port("noise", "map", 1)), (Port("high", scale=self.config.scale),))

    def forward(self, low: Tensor, noise: Tensor) -> Tensor:
        return self.high(self.head(torch.cat([low, noise], dim=1)))


class VectorOutput(Toy):
    """Also says two numbers of the whole image."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.estimate = nn.Linear(8, 2)

    @property
    def ports(self) -> Ports:
        return Ports((Port("low"),), (Port("high", scale=self.config.scale), Port("estimate", "vector", 2)))

    def forward(self, low: Tensor) -> tuple[Tensor, Tensor]:
        features = self.head(low)
        return self.high(features), self.estimate(features.mean((2, 3)))


class Recurrent(Toy):
    """Sees three frames and what it kept of those before."""

    inputs = 9 + 4

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.keep = nn.Conv2d(8, 4, 3, padding=1)

    @property
    def ports(self) -> Ports:
        return Ports(
            (Port("low", frames=3), Port("hidden", "map", 4)),
            (Port("high", scale=self.config.scale), Port("kept", "map", 4)),
        )

    def forward(self, low: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        features = self.head(torch.cat([low, hidden], dim=1))
        return self.high(features), torch.tanh(self.keep(features))


class Conditioned(Toy):
    """Told two numbers of the image."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.condition = Modulation(("noise", "blur"), {"head": 8, "tail": 3 * config.scale**2}, hidden=6)

    def forward(self, low: Tensor, condition: Tensor | None = None) -> Tensor:
        by: dict[str, Any] = {} if condition is None or self.condition is None else self.condition(condition)
        features = torch.relu(modulated(self.head(low), by.get("head")))
        return F.pixel_shuffle(modulated(self.tail(features), by.get("tail")), self.config.scale)


class Small(Toy):
    """Its output is not enlarged."""

    def forward(self, low: Tensor) -> Tensor:
        return low + self.tail(self.head(low)).mean()


class WithoutPaper(Arch[Config]):
    """Nobody knows where it comes from."""

    EXAMPLE = Config()


class WithoutHalo(Arch[Config]):
    """Does not say how far it sees."""

    paper = Paper("a toy", 2026)
    EXAMPLE = Config()

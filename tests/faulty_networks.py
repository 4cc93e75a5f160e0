"""Networks and losses of somebody's own, each with one fault that a training meets."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from toy_networks import Config, Toy


def in_a_step(network: Toy) -> bool:
    """Whether it is trained, and neither tried nor validated nor exported."""
    return network.training and torch.is_grad_enabled()


class InConstructor(Toy):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        raise LookupError("no\nfilters")


class InForward(Toy):
    def forward(self, low: Tensor) -> Tensor:
        raise KeyError("no\nsuch")


class InTraining(Toy):
    def forward(self, low: Tensor) -> Tensor:
        return self.high(self.head(low.view(1) if in_a_step(self) else low))


class _Stubborn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        raise ArithmeticError("no way back")


class InPorts(Toy):
    @property
    def ports(self) -> Any:
        raise NotImplementedError("later")


class InDeploy(Toy):
    def deploy(self) -> Any:
        raise AttributeError("no branches")


class OfNegativeHalo(Toy):
    @property
    def halo(self) -> int:
        return -1


class Silent(Toy):
    def forward(self, low: Tensor) -> Any:
        """Forgets to return what it made."""


class WithNames(Toy):
    def forward(self, low: Tensor) -> Any:
        return {"high": self.high(self.head(low))}


class WithoutScales(Toy):
    def outputs(self, x: Tensor, port: str = "", **condition: Tensor) -> Any:
        return [self(x)]


class NarrowInTraining(Toy):
    def forward(self, low: Tensor) -> Tensor:
        return super().forward(low)[..., int(in_a_step(self)) :]


class Detached(Toy):
    def forward(self, low: Tensor) -> Tensor:
        return super().forward(low).detach()


class Branching(Toy):
    def forward(self, low: Tensor) -> Tensor:
        return super().forward(low) if float(low.mean()) < 2 else low


class InFrequencies(Toy):
    def forward(self, low: Tensor) -> Tensor:
        return super().forward(torch.fft.fft2(low).real)


def raising(output: Tensor, target: Tensor) -> Tensor:
    raise KeyError("edges")


def stubborn(output: Tensor, target: Tensor) -> Tensor:
    return _Stubborn.apply(output).mean()  # pyright: ignore[reportReturnType]


def counting(output: Tensor, target: Tensor) -> Tensor:
    return (output > target).float().mean()

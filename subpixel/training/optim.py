"""The optimiser, its learning rate over the steps, and the exponential moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from subpixel.nn.arch import Arch
from subpixel.training.recipe import Optim, Recipe
from subpixel.training.soap import Soap


def build_optimizer(config: Optim, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser over the parameters."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "soap": Soap}[config.name]
    return kind(parameters, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay)


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step: warm-up, then the recipe's schedule."""
    schedule, lr = recipe.schedule, recipe.optim.lr
    if step < schedule.warmup:
        return lr * (step + 1) / schedule.warmup
    if schedule.kind == "cosine":
        fraction = (step - schedule.warmup) / max(1, recipe.steps - schedule.warmup)
        return lr * (schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * fraction)) / 2)
    if schedule.kind == "steps":
        return lr * schedule.gamma ** sum(step >= m for m in schedule.milestones)
    return lr


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def ema_module(ema: AveragedModel) -> Arch:
    """The averaged network: what is validated and becomes the model."""
    return cast("Arch", ema.module)


def build_ema(network: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of a network's weights.

    After n updates the decay is at most (1 + n) / (10 + n), so that the first, random weights are soon forgotten.
    """

    def update(average: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        n = int(count)
        if not current.is_floating_point():  # a counter of batch normalisation
            return current
        return torch.lerp(current, average, min(decay, (1 + n) / (10 + n)))

    avg_fn: Callable[..., Any] = update
    return AveragedModel(network, avg_fn=avg_fn, use_buffers=True)

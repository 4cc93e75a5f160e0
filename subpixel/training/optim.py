"""How the weights move: the optimiser, its learning rate over the steps, and their running average."""

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


def optimizer(plan: Optim, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser over the parameters."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "soap": Soap}[plan.name]
    return kind(parameters, lr=plan.lr, betas=plan.betas, weight_decay=plan.weight_decay)


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of a step: warm-up, then the recipe's schedule."""
    plan, rate = recipe.schedule, recipe.optim.lr
    if step < plan.warmup:
        return rate * (step + 1) / plan.warmup
    if plan.kind == "cosine":
        done = (step - plan.warmup) / max(1, recipe.steps - plan.warmup)
        return rate * (plan.floor + (1 - plan.floor) * (1 + math.cos(math.pi * done)) / 2)
    if plan.kind == "steps":
        return rate * plan.gamma ** sum(step >= m for m in plan.milestones)
    return rate


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Makes `rate` the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def ema_module(average: AveragedModel) -> Arch:
    """The averaged network: what is validated and becomes the model."""
    return cast("Arch", average.module)


def ema(network: nn.Module, decay: float) -> AveragedModel:
    """The exponential average of a network's weights.

    It starts short, so that the first, random weights are soon forgotten.
    """

    def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        n = int(count)
        if not new.is_floating_point():  # a counter of batch normalisation
            return new
        return torch.lerp(new, old, min(decay, (1 + n) / (10 + n)))

    rule: Callable[..., Any] = average
    return AveragedModel(network, avg_fn=rule, use_buffers=True)

"""SRGAN's training (Ledig et al. 2017): a generator against a discriminator, step by step in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from subpixel.archs.srgan import Discriminator
from subpixel.datasets.patches import PatchSource
from subpixel.errors import RecipeError
from subpixel.losses import adversarial
from subpixel.losses.content import Content
from subpixel.nn.arch import Arch
from subpixel.training import finite, initial, optim, processes
from subpixel.training.batches import batches
from subpixel.training.objective import Objective
from subpixel.training.recipe import Recipe
from subpixel.training.recorder import Progress, Recorder, Validate, silent


def train(
    recipe: Recipe,
    crops: Mapping[int, PatchSource],
    run: Path,
    *,
    validate: Validate,
    device: str = "cpu",
    bf16: bool = False,
    init: initial.InitialWeights | None = None,
    content: Content | None = None,
    show: Callable[[Progress], object] = silent,
) -> Arch:
    """Trains a generator and its discriminator to the recipe's last step; as `loop.train` otherwise.

    init: the weights of a network that a pixel loss has trained, where SRGAN begins.
    Raises: as `loop.train`; RecipeError for several scales or processes, or a patch the discriminator cannot halve.
    """
    scale = _only_scale(recipe)
    network = initial.network(recipe, init, device)
    crops[scale].check(recipe.data.patch)
    run.mkdir(parents=True, exist_ok=True)
    judge = _discriminator(recipe, scale).to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = optim.ema(network, recipe.ema)
    optimizer = optim.optimizer(recipe.optim, network.parameters())
    judging = optim.optimizer(recipe.optim.model_copy(update={"lr": recipe.gan.lr}), judge.parameters())
    objective, kind = Objective(network, recipe.loss, content), recipe.gan.kind
    parts = {"model": network, "average": average, "optimizer": optimizer, "judge": judge, "judging": judging}
    journal = Recorder(run, recipe, parts, initial.initial_state(network, init), validate, show)
    done = journal.resume()
    for step, (_, low, high) in enumerate(batches(recipe, crops, done, device), start=done):
        rate = optim.learning_rate(recipe, step)
        optim.set_rate(optimizer, rate)
        optim.set_rate(judging, rate * recipe.gan.lr / recipe.optim.lr)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            made = network(low)
            opinion = adversarial.of_discriminator(kind, judge(high).float(), judge(made.detach()).float())
        _descend(judging, opinion)

        judge.requires_grad_(False)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            fooled = adversarial.of_generator(kind, judge(high).float(), judge(made).float())
            loss = objective.terms(made, high) + recipe.loss.adversarial * fooled
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.optim.clip or math.inf)
        finite.check(step, loss.item() + opinion.item(), norm.item(), network, low)
        optimizer.step()
        judge.requires_grad_(True)

        average.update_parameters(network)
        journal.step(step + 1, loss.item())
    return optim.ema_module(average).eval()


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _only_scale(recipe: Recipe) -> int:
    if len(recipe.scales) != 1:
        raise RecipeError(f"data.scales: {recipe.scales}; an adversarial training has one scale")
    if processes.world_size() > 1:
        raise RecipeError("loss.adversarial: an adversarial training runs in one process; start it without torchrun")
    return recipe.scales[0]


def _discriminator(recipe: Recipe, scale: int) -> Discriminator:
    patch = recipe.data.patch * scale
    if patch % 16:
        raise RecipeError(f"data.patch: {recipe.data.patch} x {scale} = {patch}; expected a multiple of 16")
    return Discriminator(Discriminator.Config(patch, recipe.gan.features, recipe.gan.dense))

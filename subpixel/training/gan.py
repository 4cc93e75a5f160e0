"""Adversarial training (Ledig et al. 2017): a generator against a discriminator, which take turns in every step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from subpixel.archs.srgan import Discriminator
from subpixel.datasets.patches import PatchSource
from subpixel.errors import RecipeError
from subpixel.losses.adversarial import discriminator_loss, generator_loss
from subpixel.nn.arch import Arch
from subpixel.nn.unet import UNetDiscriminator
from subpixel.training import finite, optim, processes, signals
from subpixel.training.batches import batches
from subpixel.training.initialization import InitialWeights, set_up
from subpixel.training.objective import FeatureLosses, Objective, conditions
from subpixel.training.outputs import outputs
from subpixel.training.recipe import Recipe
from subpixel.training.recorder import Keeping, Progress, Recorder, Validate, ignore_progress


def train(
    recipe: Recipe,
    sources: Mapping[int, PatchSource],
    folder: Path,
    *,
    validate: Validate,
    device: str = "cpu",
    bf16: bool = False,
    init: InitialWeights | None = None,
    features: FeatureLosses | None = None,
    show: Callable[[Progress], object] = ignore_progress,
    keeping: Keeping = Keeping(),
) -> Arch:
    """Trains a generator and its discriminator to the recipe's last step; as `loop.train` otherwise.

    recipe: one that `check` takes. init: the weights of a network that a pixel loss has trained, where SRGAN begins.
    Raises: as `loop.train`.
    """
    setup = set_up(recipe, sources, folder, init, device)
    network, ema, optimizer = setup.network, setup.ema, setup.optimizer
    discriminator = _discriminator(recipe).to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    d_optim = recipe.optim.model_copy(update={"lr": recipe.gan.lr})
    d_optimizer = optim.build_optimizer(d_optim, discriminator.parameters())
    objective, kind = Objective(network, recipe.loss, features), recipe.gan.kind
    parts = {**setup.parts, "discriminator": discriminator, "d_optimizer": d_optimizer}
    with signals.handled() as received:
        recorder = Recorder(folder, recipe, parts, setup.state, validate, show, received, keeping)
        first, is_told = recorder.resume(), network.condition is not None
        for step, (scale, sample) in enumerate(batches(recipe, sources, first, device, is_told), first):
            lr = optim.learning_rate(recipe, step)
            optim.set_lr(optimizer, lr)
            optim.set_lr(d_optimizer, lr * recipe.gan.lr / recipe.optim.lr)
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                fake, _ = outputs(
                    network.at_scale(scale), sample.low, recipe.loss.output, **conditions(network, sample)
                )[-1]
                real_logits, fake_logits = discriminator(sample.high).float(), discriminator(fake.detach()).float()
                d_loss = discriminator_loss(kind, real_logits, fake_logits)
            _descend(d_optimizer, d_loss)

            discriminator.requires_grad_(False)
            with torch.autocast(device, torch.bfloat16, enabled=bf16):
                g_loss = generator_loss(kind, discriminator(sample.high).float(), discriminator(fake).float())
                loss = objective.terms(fake, sample.high) + recipe.loss.adversarial * g_loss
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            grad_norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.optim.clip or math.inf).item()
            finite.check(step, loss.item() + d_loss.item(), grad_norm, network.at_scale(scale), sample.low)
            optimizer.step()
            discriminator.requires_grad_(True)

            ema.update_parameters(network)
            recorder.step(step + 1, loss.item(), lr, grad_norm)
    return optim.ema_module(ema).eval()


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def check(recipe: Recipe) -> None:
    """Raises: RecipeError for several processes, a discriminator of one size for several scales, a patch not halved."""
    if processes.world_size() > 1:
        raise RecipeError("loss.adversarial: an adversarial training runs in one process; start it without torchrun")
    vgg = recipe.gan.discriminator == "vgg"
    if vgg and len(recipe.scales) > 1:
        raise RecipeError(f"data.scales: {recipe.scales}; expected one, or gan.discriminator unet, which takes any")
    multiple = 16 if vgg else 8
    for patch in (recipe.data.patch * scale for scale in recipe.scales):
        if patch % multiple:
            raise RecipeError(f"data.patch: crops of {patch} pixels at full size; expected a multiple of {multiple}")


def _discriminator(recipe: Recipe) -> nn.Module:
    if recipe.gan.discriminator == "unet":
        return UNetDiscriminator(recipe.gan.features)
    patch = recipe.data.patch * recipe.scales[0]
    return Discriminator(Discriminator.Config(patch, recipe.gan.features, recipe.gan.dense))

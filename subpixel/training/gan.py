"""Adversarial training (Ledig et al. 2017): in every step the discriminator has its turn, then the generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from subpixel.archs.srgan import Discriminator
from subpixel.datasets.sample import Sample
from subpixel.errors import RecipeError
from subpixel.losses.adversarial import discriminator_loss, generator_loss
from subpixel.nn.unet import UNetDiscriminator
from subpixel.training import checkpoint, optim, processes
from subpixel.training.objective import Objective
from subpixel.training.recipe import Recipe


class Adversary:
    """What a generator is trained against.

    recipe: one that `check` takes. objective: the generator with its other losses. autocast: see `loop.train`.
    """

    def __init__(self, recipe: Recipe, objective: Objective, device: str, autocast: torch.autocast) -> None:
        self._recipe, self._objective, self._autocast = recipe, objective, autocast
        discriminator = _discriminator(recipe).to(device)
        self._discriminator = discriminator.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        config = recipe.optim.model_copy(update={"lr": recipe.gan.lr})
        self._optimizer = optim.build_optimizer(config, discriminator.parameters())

    @property
    def parts(self) -> checkpoint.Parts:
        """What checkpoints hold of it."""
        return {"discriminator": self._discriminator, "d_optimizer": self._optimizer}

    def loss(self, sample: Sample[Tensor], scale: int, lr: float) -> Tensor:
        """The generator's loss, after the discriminator's step. lr: the generator's rate; `gan.lr` follows it."""
        kind, weight = self._recipe.gan.kind, self._recipe.loss.adversarial
        self._discriminator.requires_grad_(True)
        with self._autocast:
            fake = self._objective.outputs(sample, scale)[-1][0]
            d_loss = discriminator_loss(kind, self._logits(sample.high), self._logits(fake.detach()))
        optim.set_lr(self._optimizer, lr * self._recipe.gan.lr / self._recipe.optim.lr)
        self._optimizer.zero_grad(set_to_none=True)
        d_loss.backward()
        self._optimizer.step()
        self._discriminator.requires_grad_(False)
        with self._autocast:
            g_loss = generator_loss(kind, self._logits(sample.high), self._logits(fake))
            return self._objective.terms(fake, sample.high) + weight * g_loss

    def _logits(self, images: Tensor) -> Tensor:
        return self._discriminator(images).float()


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

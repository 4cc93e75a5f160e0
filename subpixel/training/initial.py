"""Where a run begins: a fresh network, or one that takes over the weights that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from subpixel import archs
from subpixel.errors import BadRequest, RecipeError
from subpixel.models import Model, weights
from subpixel.nn.arch import Arch
from subpixel.nn.scales import ByScale
from subpixel.nn.upsampling import unblock_all
from subpixel.training import checkpoint
from subpixel.training.recipe import Recipe


@dataclass(frozen=True)
class InitialWeights:
    """Weights of another training."""

    weights: Mapping[str, Tensor]
    plain: bool
    """Whether they belong to the deploy form, as a model file's do; training then goes on in that form."""
    steps: int = 0
    """Of that training."""
    hours: float = 0.0

    @classmethod
    def from_models(cls, models: Iterable[Model]) -> Self:
        """The weights of a model file, or of those of all scales of one network.

        Raises: BadWeights if they do not fit the architecture that a card names; RecipeError if two files differ in a
        weight of the same name.
        """
        together, steps, hours = dict[str, Tensor](), 0, 0.0
        for model in models:
            network = weights.network(model)
            unblock_all(network)
            own = network.state_dict()
            for name in together.keys() & own.keys():
                if not torch.equal(together[name], own[name]):
                    raise RecipeError(f"init: {model.path} has another {name}; expected the scales of one network")
            together |= own
            steps, hours = max(steps, model.card.steps), max(hours, model.card.hours)
        return cls(together, plain=True, steps=steps, hours=hours)

    @classmethod
    def from_run(cls, path: Path) -> Self:
        """The averaged weights of a checkpoint.

        Raises: DataError if the file is not a checkpoint.
        """
        mark = checkpoint.read_state(path)
        return cls(checkpoint.ema_weights(path), plain=mark.plain, steps=mark.earlier + mark.step, hours=mark.hours)


def network(recipe: Recipe, init: InitialWeights | None, device: str) -> Arch:
    """The recipe's network on its device, channels last; its random numbers come from the recipe's seed.

    Raises: RecipeError for a configuration or a scale that the architecture lacks, or for weights of which none fits.
    """
    torch.manual_seed(recipe.seed)
    made = archs.create(recipe.arch, recipe.config)
    try:
        for scale in recipe.scales:
            made.at_scale(scale)
    except BadRequest as error:
        raise RecipeError(f"data.scales: {error}") from None
    if init and init.plain:
        made = _deployed(made, recipe.scales).train()
        unblock_all(made)
    if init and not load_fitting(made, init.weights):
        raise RecipeError(f"init: none of the weights of {recipe.init} fits {recipe.arch} {recipe.config}")
    return made.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _deployed(made: Arch, scales: Iterable[int]) -> Arch:
    """The deploy form with what each scale has of its own."""
    plain = made.deploy()
    for scale in scales:
        other = made.at_scale(scale).deploy()
        for name, layers in plain.named_modules():
            if isinstance(layers, ByScale):
                layers.update(dict(other.get_submodule(name).named_children()))
    if hasattr(made.config, "scales"):
        plain.config = replace(made.config, scales=tuple(sorted({made.config.scale, *scales})))
    return plain


def load_fitting(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Copies the weights whose name and shape fit (a body, not a tail of another scale); returns the names taken."""
    own = model.state_dict()
    names = _fitting(own, weights)
    model.load_state_dict(own | {name: weights[name] for name in names})
    return names


def initial_state(model: nn.Module, init: InitialWeights | None) -> checkpoint.TrainState:
    """Where a run's count begins: it goes on from that of a network of which every weight was taken."""
    if init is None:
        return checkpoint.TrainState()
    own = model.state_dict()
    whole = len(_fitting(own, init.weights)) == len(own)
    steps, hours = (init.steps, init.hours) if whole else (0, 0.0)
    return checkpoint.TrainState(earlier=steps, hours=hours, plain=init.plain)


def _fitting(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> list[str]:
    return sorted(name for name in own.keys() & weights.keys() if own[name].shape == weights[name].shape)

"""Where a run begins: its network, fresh or with the weights of another that fit, and what trains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from subpixel import archs
from subpixel.datasets.patches import PatchSource
from subpixel.errors import BadRequest, RecipeError
from subpixel.models import Model, weights
from subpixel.nn.arch import Arch
from subpixel.nn.scales import ByScale
from subpixel.nn.upsampling import unblock_all
from subpixel.training import checkpoint, optim
from subpixel.training.outputs import output_scales
from subpixel.training.recipe import Recipe


@dataclass(frozen=True)
class InitialWeights:
    """Weights of another training."""

    weights: Mapping[str, Tensor]
    deployed: bool
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
        merged, steps, hours = dict[str, Tensor](), 0, 0.0
        for model in models:
            network = weights.network(model)
            unblock_all(network)
            state = network.state_dict()
            for name in merged.keys() & state.keys():
                if not torch.equal(merged[name], state[name]):
                    raise RecipeError(f"init: {model.path} has another {name}; expected the scales of one network")
            merged |= state
            steps, hours = max(steps, model.card.steps), max(hours, model.card.hours)
        return cls(merged, deployed=True, steps=steps, hours=hours)

    @classmethod
    def from_run(cls, path: Path) -> Self:
        """The averaged weights of a checkpoint.

        Raises: DataError if the file is not a checkpoint.
        """
        state = checkpoint.read_state(path)
        steps = state.initial_steps + state.step
        return cls(checkpoint.ema_weights(path), deployed=state.deployed, steps=steps, hours=state.hours)


@dataclass(frozen=True)
class Setup:
    """What every training begins with."""

    network: Arch
    ema: AveragedModel
    optimizer: Optimizer
    state: checkpoint.TrainState

    @property
    def parts(self) -> checkpoint.Parts:
        """What its checkpoints hold."""
        return {"model": self.network, "ema": self.ema, "optimizer": self.optimizer}


def set_up(
    recipe: Recipe, sources: Mapping[int, PatchSource], folder: Path, init: InitialWeights | None, device: str
) -> Setup:
    """The network on its device with what trains it, after a check of the data; makes the run folder.

    Raises: as `build_network`; DataError for images that cannot give the recipe's patches.
    """
    network = build_network(recipe, init, device)
    for scale in recipe.scales:
        sources[scale].check(recipe.data.patch)
    folder.mkdir(parents=True, exist_ok=True)
    optimizer = optim.build_optimizer(recipe.optim, network.parameters())
    return Setup(network, optim.build_ema(network, recipe.ema), optimizer, initial_state(network, init))


def build_network(recipe: Recipe, init: InitialWeights | None, device: str) -> Arch:
    """The recipe's network on its device, channels last; its random numbers come from the recipe's seed.

    Raises: RecipeError for a configuration or a scale that the architecture lacks, or where less than half of its
    weights come from `init`.
    """
    torch.manual_seed(recipe.seed)
    network = archs.create(recipe.arch, recipe.config)
    try:
        for scale in recipe.scales:
            network.at_scale(scale)
    except BadRequest as error:
        raise RecipeError(f"data.scales: {error}") from None
    if init and init.deployed:
        network = _deployed(network, recipe.scales).train()
        unblock_all(network)
    if init and 2 * len(load_fitting(network, init.weights)) < len(network.state_dict()):
        raise RecipeError(
            f"init: of {recipe.init} only {loaded_summary(network, init)} weights fit {recipe.arch} {recipe.config};"
            " expected a network of this kind"
        )
    return network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _deployed(network: Arch, scales: Iterable[int]) -> Arch:
    """The deploy form with what each scale has of its own, those between included that a pyramid gives."""
    deployed = network.deploy()
    for scale in output_scales(network, scales):
        other = network.at_scale(scale).deploy()
        for name, layers in deployed.named_modules():
            if isinstance(layers, ByScale):
                layers.update(dict(other.get_submodule(name).named_children()))
    if hasattr(network.config, "scales"):
        deployed.config = replace(network.config, scales=tuple(sorted({network.config.scale, *scales})))
    return deployed


def load_fitting(network: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Copies the weights whose name and shape fit (a body, not a tail of another scale); returns the names taken."""
    state = network.state_dict()
    names = _fitting(state, weights)
    network.load_state_dict(state | {name: weights[name] for name in names})
    return names


def loaded_summary(network: nn.Module, init: InitialWeights) -> str:
    """How many weights of a network come from others, in words: "38 of 40 (not: tail.bias, tail.weight)"."""
    state = network.state_dict()
    own = sorted(state.keys() - set(_fitting(state, init.weights)))
    listed = ", ".join(own[:4]) + (f" and {len(own) - 4} more" if len(own) > 4 else "")
    return f"{len(state) - len(own)} of {len(state)}" + (f" (not: {listed})" if own else "")


def initial_state(network: nn.Module, init: InitialWeights | None) -> checkpoint.TrainState:
    """Where a run's count begins: at the steps and hours of the initial weights, if every one of them was taken."""
    if init is None:
        return checkpoint.TrainState()
    state = network.state_dict()
    complete = len(_fitting(state, init.weights)) == len(state)
    steps, hours = (init.steps, init.hours) if complete else (0, 0.0)
    return checkpoint.TrainState(initial_steps=steps, hours=hours, deployed=init.deployed)


def _fitting(state: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> list[str]:
    return sorted(name for name in state.keys() & weights.keys() if state[name].shape == weights[name].shape)

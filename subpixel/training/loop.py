"""Training, readable from top to bottom: batch, loss, step, and now and then a validation and a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from subpixel.datasets.patches import PatchSource
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
    """Trains a recipe to its last step, from the run folder's last checkpoint if there is one.

    crops: where the batches of each scale come from. run: the folder for checkpoints and log. validate: the scores of
    a network. Returns the averaged network. A batch depends on the seed, the step and the process alone, so a resumed
    run repeats itself.
    Raises: TrainingDiverged, RecipeError, DataError (a run folder of another recipe, images smaller than the patch).
    """
    network = initial.network(recipe, init, processes.local_device(device))
    for scale in recipe.scales:
        crops[scale].check(recipe.data.patch)
    run.mkdir(parents=True, exist_ok=True)
    average = optim.ema(network, recipe.ema)
    optimizer = optim.optimizer(recipe.optim, network.parameters())
    several = len(network.supported_scales) > 1
    objective = processes.wrap_ddp(Objective(network, recipe.loss, content), partly=several)
    parts = {"model": network, "average": average, "optimizer": optimizer}
    journal = Recorder(run, recipe, parts, initial.initial_state(network, init), validate, show)
    done = journal.resume()
    for step, (scale, low, high) in enumerate(batches(recipe, crops, done, processes.local_device(device)), start=done):
        optim.set_rate(optimizer, optim.learning_rate(recipe, step))
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = objective(low, high, scale)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.optim.clip or math.inf)
        finite.check(step, loss.item(), norm.item(), network.at_scale(scale), low)
        optimizer.step()
        average.update_parameters(network)
        journal.step(step + 1, loss.item())
    return optim.ema_module(average).eval()

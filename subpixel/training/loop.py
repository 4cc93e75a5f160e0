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
from subpixel.training import finite, initialization, optim, processes
from subpixel.training.batches import batches
from subpixel.training.objective import Objective
from subpixel.training.recipe import Recipe
from subpixel.training.recorder import Progress, Recorder, Validate, silent


def train(
    recipe: Recipe,
    sources: Mapping[int, PatchSource],
    folder: Path,
    *,
    validate: Validate,
    device: str = "cpu",
    bf16: bool = False,
    init: initialization.InitialWeights | None = None,
    content: Content | None = None,
    show: Callable[[Progress], object] = silent,
) -> Arch:
    """Trains a recipe to its last step, from the run folder's last checkpoint if there is one.

    sources: where the batches of each scale come from. folder: for checkpoints and log. validate: the scores of a
    network. Returns the averaged network. A batch depends on the seed, the step and the process alone, so a resumed run
    repeats itself.
    Raises: TrainingDiverged, RecipeError, DataError (a run folder of another recipe, images smaller than the patch).
    """
    network = initialization.build_network(recipe, init, processes.local_device(device))
    for scale in recipe.scales:
        sources[scale].check(recipe.data.patch)
    folder.mkdir(parents=True, exist_ok=True)
    ema = optim.build_ema(network, recipe.ema)
    optimizer = optim.build_optimizer(recipe.optim, network.parameters())
    several = len(network.shared) > 1
    objective = processes.wrap_ddp(Objective(network, recipe.loss, content), unused_parameters=several)
    parts = {"model": network, "ema": ema, "optimizer": optimizer}
    recorder = Recorder(folder, recipe, parts, initialization.initial_state(network, init), validate, show)
    first = recorder.resume()
    for step, (scale, sample) in enumerate(batches(recipe, sources, first, processes.local_device(device)), first):
        optim.set_lr(optimizer, optim.learning_rate(recipe, step))
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = objective(sample, scale)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        grad_norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.optim.clip or math.inf)
        finite.check(step, loss.item(), grad_norm.item(), network.at_scale(scale), sample.low)
        optimizer.step()
        ema.update_parameters(network)
        recorder.step(step + 1, loss.item())
    return optim.ema_module(ema).eval()

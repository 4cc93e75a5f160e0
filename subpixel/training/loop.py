"""Training, readable from top to bottom: batch, loss, step, and now and then a validation and a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import nn

from subpixel import atomic
from subpixel.datasets.patches import PatchSource
from subpixel.errors import DataError
from subpixel.nn.arch import Arch
from subpixel.runtimes import Execution
from subpixel.training import finite, optim, processes, signals
from subpixel.training.batches import batches
from subpixel.training.gan import Adversary
from subpixel.training.initialization import InitialWeights, set_up
from subpixel.training.model_files import LAST
from subpixel.training.objective import FeatureLosses, Objective
from subpixel.training.recipe import Recipe
from subpixel.training.recorder import Keeping, Progress, Recorder, Validate, ignore_progress


def train(
    recipe: Recipe,
    sources: Mapping[int, PatchSource],
    folder: Path,
    *,
    validate: Validate,
    execution: Execution = Execution("torch", "f32", device="cpu"),
    init: InitialWeights | None = None,
    features: FeatureLosses | None = None,
    show: Callable[[Progress], object] = ignore_progress,
    keeping: Keeping = Keeping(),
) -> Arch:
    """Trains a recipe to its last step, from the run folder's last checkpoint if there is one.

    sources: where the batches of each scale come from. folder: for checkpoints and log. validate: the scores of a
    network. execution: its device and its precision, of which bf16 is torch's autocast. Returns the averaged network. A
    batch depends on the seed, the step and the process alone, so a resumed run repeats itself.
    Raises: TrainingDiverged, RecipeError, DataError (a run folder of another recipe, or in which another process
    trains; images smaller than the patch).
    """
    device = processes.local_device(execution.device)
    autocast = torch.autocast(execution.device, torch.bfloat16, enabled=execution.precision == "bf16")
    setup = set_up(recipe, sources, folder, init, device)
    network, ema, optimizer = setup.network, setup.ema, setup.optimizer
    objective = Objective(network, recipe.loss, features)
    adversary = Adversary(recipe, objective, device, autocast) if recipe.loss.adversarial else None
    shared = processes.wrap_ddp(objective, unused_parameters=len(network.supported_scales) > 1)
    parts = {**setup.parts, **(adversary.parts if adversary else {})}
    with signals.handled() as received, _alone(folder):
        recorder = Recorder(folder, recipe, parts, setup.state, validate, show, received, keeping)
        first, conditioned = recorder.resume(), network.condition is not None
        for step, (scale, sample) in enumerate(batches(recipe, sources, first, device, conditioned), first):
            lr = optim.learning_rate(recipe, step)
            optim.set_lr(optimizer, lr)
            if adversary:
                loss = adversary.loss(sample, scale, lr)
            else:
                with autocast:
                    loss = shared(sample, scale)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            grad_norm = nn.utils.clip_grad_norm_(network.parameters(), recipe.optim.clip or math.inf).item()
            finite.check(step, loss.item(), grad_norm, network.at_scale(scale), sample.low)
            optimizer.step()
            ema.update_parameters(network)
            recorder.step(step + 1, loss.item(), lr, grad_norm)
    return optim.ema_module(ema).eval()


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Raises: DataError where another training writes into a run folder; those that torchrun began together are one."""
    with atomic.claimed(folder / LAST) if processes.rank() == 0 else nullcontext(True) as ours:
        if not ours:
            raise DataError(f"another process trains in {folder}; wait until it ends, or take another run folder")
        yield

"""Training, readable from top to bottom: batch, loss, step, and now and then a validation and a checkpoint."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from subpixel import archs
from subpixel.datasets.pairs import Pairs
from subpixel.errors import TrainingDiverged
from subpixel.nn.arch import Arch
from subpixel.training import checkpoint
from subpixel.training.recipe import Recipe

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": F.l1_loss, "l2": F.mse_loss}
Validate = Callable[[Arch], float]


def train(
    recipe: Recipe,
    pairs: Pairs,
    run: Path,
    *,
    validate: Validate,
    device: str = "cpu",
    bf16: bool = False,
    init: dict[str, Tensor] | None = None,
) -> Arch:
    """Trains a recipe to its last step, from the run folder's last checkpoint if there is one.

    pairs: where the crops come from. run: the folder for checkpoints and log. validate: the PSNR (dB) of a network.
    Returns the averaged network. A batch depends on the seed and the step alone, so a resumed run repeats itself.
    Raises: TrainingDiverged, DataError (a run folder of another recipe, pictures smaller than the patch).
    """
    pairs.check(recipe.data.patch)
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    model = archs.create(recipe.arch, recipe.config)
    if init:
        start_from(model, init)
    model = model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average: Any = AveragedModel(model, avg_fn=_running_average(recipe.ema), use_buffers=True)
    optimizer = _optimizer(recipe, model)
    last = run / "last.safetensors"
    step = checkpoint.restore(last, recipe.digest, model, average, optimizer) if last.exists() else 0
    clock, since = time.monotonic(), step
    losses: list[float] = []
    while step < recipe.steps:
        low, high = _batch(recipe, pairs, step, device)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            output = model(low)
        loss = LOSSES[recipe.loss](output, high)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if recipe.optim.clip:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.optim.clip)
        optimizer.step()
        average.update_parameters(model)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise TrainingDiverged(f"the loss is {losses[-1]} at step {step}; lower optim.lr or set optim.clip")
        step += 1
        if step % recipe.validate_every == 0 or step == recipe.steps:
            rate, clock, since = (step - since) / (time.monotonic() - clock), time.monotonic(), step
            psnr = validate(average.module)
            _log(run, step=step, loss=float(np.mean(losses)), psnr=psnr, steps_per_second=rate)
            losses.clear()
            checkpoint.save(last, step, recipe.digest, model, average, optimizer)
    return average.module.eval()


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


def start_from(model: nn.Module, weights: dict[str, Tensor]) -> list[str]:
    """Copies the weights whose name and shape fit (a body, not a tail of another scale); returns the names taken."""
    own = model.state_dict()
    taken = {k: v for k, v in weights.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(own | taken)
    return sorted(taken)


def _batch(recipe: Recipe, pairs: Pairs, step: int, device: str) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng([recipe.seed, step])
    low, high = pairs.batch(rng, recipe.data.batch, recipe.data.patch)
    x, y = (torch.from_numpy(a).to(device, torch.float32).div_(255) for a in (low, high))
    return x.contiguous(memory_format=torch.channels_last), y


def _optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    plan = recipe.optim
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[plan.name]
    return kind(model.parameters(), lr=plan.lr, betas=plan.betas, weight_decay=plan.weight_decay)


def _running_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential averaging that starts short, so that the first, random weights are soon forgotten."""

    def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        n = int(count)
        return torch.lerp(new, old, min(decay, (1 + n) / (10 + n)))

    return average


def _log(run: Path, **values: float) -> None:
    with (run / "log.jsonl").open("a") as file:
        file.write(json.dumps(values) + "\n")

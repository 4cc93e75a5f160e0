"""What a run leaves in its folder: log.jsonl, last.safetensors and best.safetensors."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch.optim.swa_utils import AveragedModel

from subpixel import atomic
from subpixel.nn.arch import Arch
from subpixel.training import checkpoint, optim, processes
from subpixel.training.recipe import Recipe

Validate = Callable[[Arch, int], Mapping[str, float]]
"""A network and its step -> scores by name; `psnr` in dB is always among them."""


LAST = "last.safetensors"


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step."""

    step: int
    steps: int
    loss: float
    lr: float
    grad_norm: float
    """Before it was clipped."""
    rate: float
    """Steps a second since the last validation."""
    scores: Mapping[str, float]
    """The scores of this step, if it was a validated one."""

    @property
    def seconds_left(self) -> float:
        """Until the last step, at this rate; validations not counted."""
        return (self.steps - self.step) / self.rate


def silent(progress: Progress) -> None:
    """Shows nothing."""


class Recorder:
    """Validates, logs and saves the state of a run; `step` is called after every step."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        parts: checkpoint.Parts,
        state: checkpoint.TrainState,
        validate: Validate,
        show: Callable[[Progress], object],
    ) -> None:
        self._folder, self._recipe, self._parts, self._state = folder, recipe, parts, state
        self._validate, self._show = validate, show
        self._losses: list[float] = []
        """Since the last validation."""

    def resume(self) -> int:
        """Restores the last checkpoint, if there is one, and returns the step to go on from."""
        last = self._folder / LAST
        if last.exists():
            self._state = checkpoint.restore(last, self._recipe.digest, self._parts)
        self._restart_clock(self._state.step)
        self._start = self._validated_at - 3600 * self._state.hours
        return self._state.step

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Records the step that was just done; validates and saves where the recipe says so."""
        self._losses.append(loss)
        rate = (step - self._validated_step) / max(time.monotonic() - self._validated_at, 1e-9)
        due = step % self._recipe.validate_every == 0 or step == self._recipe.steps
        if processes.rank() == 0:
            scores = self._save(step, rate) if due else {}
            self._show(Progress(step, self._recipe.steps, loss, lr, grad_norm, rate, scores))
        if due:
            self._losses.clear()
            self._restart_clock(step)

    def _restart_clock(self, step: int) -> None:
        self._validated_step, self._validated_at = step, time.monotonic()

    def _save(self, step: int, rate: float) -> Mapping[str, float]:
        ema = self._parts["ema"]
        assert isinstance(ema, AveragedModel)
        scores = self._validate(optim.ema_module(ema), step)
        quality, hours = _quality(scores), (time.monotonic() - self._start) / 3600
        is_best = quality > self._state.best
        self._state = replace(self._state, step=step, best=max(quality, self._state.best), hours=hours)
        last = self._folder / LAST
        checkpoint.save(last, self._recipe.digest, self._state, self._parts)
        if is_best:
            with atomic.replacing(self._folder / "best.safetensors") as temporary:
                shutil.copyfile(last, temporary)
        line = {"step": step, "loss": float(np.mean(self._losses)), **scores, "steps_per_second": rate}
        with (self._folder / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        return scores


def _quality(scores: Mapping[str, float]) -> float:
    """Larger is better: the perceptual distance decides where it is measured, else PSNR."""
    return -scores["lpips"] if "lpips" in scores else scores["psnr"]

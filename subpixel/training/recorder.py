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
    rate: float
    """Steps a second since the last validation."""
    scores: Mapping[str, float]
    """The scores of this step, if it was a validated one."""


def silent(progress: Progress) -> None:
    """Shows nothing."""


class Recorder:
    """Validates, logs and keeps the state of a run; `note` is called after every step."""

    def __init__(
        self,
        run: Path,
        recipe: Recipe,
        parts: checkpoint.Parts,
        mark: checkpoint.TrainState,
        validate: Validate,
        show: Callable[[Progress], object],
    ) -> None:
        self._run, self._recipe, self._parts = run, recipe, parts
        self._validate, self._show = validate, show
        self._losses: list[float] = []
        self._mark = mark

    def resume(self) -> int:
        """Restores the last checkpoint, if there is one, and returns the step to go on from."""
        last = self._run / LAST
        if last.exists():
            self._mark = checkpoint.restore(last, self._recipe.digest, self._parts)
        self._clock, self._since = time.monotonic(), self._mark.step
        self._started = self._clock - 3600 * self._mark.hours
        return self._mark.step

    def step(self, step: int, loss: float) -> None:
        """Takes note of the step that was just done; validates and saves where the recipe says so."""
        self._losses.append(loss)
        rate = (step - self._since) / max(time.monotonic() - self._clock, 1e-9)
        due = step % self._recipe.validate_every == 0 or step == self._recipe.steps
        scores = self._save(step, rate) if due and processes.rank() == 0 else {}
        self._show(Progress(step, self._recipe.steps, loss, rate, scores))
        if due:
            self._losses.clear()
            self._clock, self._since = time.monotonic(), step

    def _save(self, step: int, rate: float) -> Mapping[str, float]:
        average = self._parts["average"]
        assert isinstance(average, AveragedModel)
        scores = self._validate(optim.ema_module(average), step)
        best, hours = _quality(scores), (time.monotonic() - self._started) / 3600
        better = best > self._mark.best
        self._mark = replace(self._mark, step=step, best=max(best, self._mark.best), hours=hours)
        last = self._run / LAST
        checkpoint.save(last, self._recipe.digest, self._mark, self._parts)
        if better:
            with atomic.replacing(self._run / "best.safetensors") as part:
                shutil.copyfile(last, part)
        line = {"step": step, "loss": float(np.mean(self._losses)), **scores, "steps_per_second": rate}
        with (self._run / "log.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        return scores


def _quality(scores: Mapping[str, float]) -> float:
    """Larger is better: the perceptual distance decides where it is measured, else PSNR."""
    return -scores["lpips"] if "lpips" in scores else scores["psnr"]

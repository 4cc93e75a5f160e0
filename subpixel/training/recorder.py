"""What a run leaves in its folder: log.jsonl, last.safetensors and best.safetensors, and more checkpoints if asked."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from torch import nn
from torch.optim.swa_utils import AveragedModel

from subpixel import atomic
from subpixel.nn.arch import Arch
from subpixel.training import checkpoint, finite, optim, processes, resumption
from subpixel.training.model_files import BEST, LAST
from subpixel.training.recipe import Recipe
from subpixel.training.signals import Signals

Validate = Callable[[Arch, int], Mapping[str, float]]
"""A network and its step -> scores by name; `psnr` in dB is always among them."""


SAVE_SECONDS = 300
"""A run that is killed has lost no more than this, and a step."""


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


def ignore_progress(progress: Progress) -> None:
    """Shows nothing."""


def ignore_line(line: str) -> None:
    """Says nothing."""


@dataclass(frozen=True)
class Keeping:
    """What a run keeps, and to whom it speaks."""

    folders: Mapping[str, str] = field(default_factory=dict[str, str])
    """The digest of the images of each folder, by the option that names it; see `resumption`."""
    checkpoints: int = 0
    """How many of the validated checkpoints stay, as step-N.safetensors, besides the last and the best."""
    notify: Callable[[str], object] = ignore_line
    """Takes a line now and then: where the run goes on, what has changed."""


class Recorder:
    """Validates, logs and saves the state of a run; `step` is called after every step.

    What is due is saved before it is validated, and again with the outcome, the best first: a run that is killed at
    any moment validates the step again when it goes on, and nothing is stale.
    """

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        parts: checkpoint.Parts,
        state: checkpoint.TrainState,
        validate: Validate,
        show: Callable[[Progress], object],
        signals: Signals,
        keeping: Keeping,
    ) -> None:
        self._folder, self._recipe, self._parts, self._state = folder, recipe, parts, state
        self._validate, self._show, self._signals, self._keeping = validate, show, signals, keeping
        self._origin = resumption.origin(recipe, keeping.folders)
        self._losses: list[float] = []
        """Since the last validation."""

    def resume(self) -> int:
        """Restores the last checkpoint, if there is one, and returns the step to go on from.

        Raises: DataError for a checkpoint that this run cannot go on from.
        """
        last = self._folder / LAST
        if last.exists():
            changed = resumption.changes(last, checkpoint.read_origin(last), self._origin)
            self._state = checkpoint.restore(last, self._parts)
            if any("--validation" in phrase for phrase in changed):
                self._state = replace(self._state, best=-math.inf)  # of other images
            self._keeping.notify("; ".join([f"going on from step {self._state.step} of {last}", *changed]))
        self._restart_clock(self._state.step)
        self._saved_at = self._validated_at
        self._start = self._validated_at - 3600 * self._state.hours
        if not self._state.validated and processes.rank() == 0:
            self._validated({})
        return self._state.step

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Records the step that was just done; validates and saves where the recipe says so.

        Raises: TrainingDiverged; KeyboardInterrupt or SystemExit where a signal came, once the step is saved.
        """
        self._losses.append(loss)
        now = time.monotonic()
        rate = (step - self._validated_step) / max(now - self._validated_at, 1e-9)
        due = step % self._recipe.validate_every == 0 or step == self._recipe.steps
        stop = bool(self._signals.received)
        if processes.rank() == 0:
            if due or stop or now - self._saved_at > SAVE_SECONDS:
                self._save(step, validated=not due)
            scores = self._validated({"loss": fmean(self._losses), "steps_per_second": rate}) if due else {}
            self._show(Progress(step, self._recipe.steps, loss, lr, grad_norm, rate, scores))
        if due:
            self._losses.clear()
            self._restart_clock(step)
        if stop:
            self._keeping.notify(f"stopped after step {step}, which is saved; the same command goes on from there")
            self._signals.leave()

    def _restart_clock(self, step: int) -> None:
        self._validated_step, self._validated_at = step, time.monotonic()

    def _save(self, step: int, validated: bool) -> None:
        model = self._parts["model"]
        assert isinstance(model, nn.Module)
        finite.check_weights(step, model)
        hours = (time.monotonic() - self._start) / 3600
        self._state = replace(self._state, step=step, hours=hours, validated=validated)
        checkpoint.save(self._folder / LAST, self._origin, self._state, self._parts)
        self._saved_at = time.monotonic()

    def _validated(self, measured: Mapping[str, float]) -> Mapping[str, float]:
        """The scores of the saved step, once they are noted everywhere. measured: what the log says besides."""
        ema, step = self._parts["ema"], self._state.step
        assert isinstance(ema, AveragedModel)
        self._signals.at_once = True  # all is saved
        scores = self._validate(optim.ema_module(ema), step)
        self._signals.at_once = False
        is_best = _quality(scores) > self._state.best
        self._state = replace(self._state, best=max(_quality(scores), self._state.best), validated=True)
        if is_best:
            checkpoint.save(self._folder / BEST, self._origin, self._state, self._parts)
        self._log({"step": step, **measured, **scores})
        checkpoint.save(self._folder / LAST, self._origin, self._state, self._parts)
        self._keep(step)
        return scores

    def _log(self, line: dict[str, float]) -> None:
        """Adds a line; one of the same step, from before a run was killed, is replaced, and damaged ones go."""
        path = self._folder / "log.jsonl"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        kept = [text for text in lines if _logged_step(text) < line["step"]]
        atomic.write_text(path, "\n".join([*kept, json.dumps(line)]) + "\n")

    def _keep(self, step: int) -> None:
        if self._keeping.checkpoints:
            with atomic.replacing(self._folder / f"step-{step:07d}.safetensors") as temporary:
                shutil.copyfile(self._folder / LAST, temporary)
            for old in sorted(self._folder.glob("step-*.safetensors"))[: -self._keeping.checkpoints]:
                old.unlink()


def _logged_step(line: str) -> float:
    """The step of a line of log.jsonl; infinity where it is damaged."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return math.inf


def _quality(scores: Mapping[str, float]) -> float:
    """Larger is better: the perceptual distance decides where it is measured, else PSNR."""
    return -scores["lpips"] if "lpips" in scores else scores["psnr"]

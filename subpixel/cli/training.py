"""What `subpixel train` shows while it works, on standard error."""

from __future__ import annotations

import time
from datetime import timedelta
from statistics import fmean
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from subpixel.cli.bars import bar
from subpixel.training.recorder import Progress

LINE_SECONDS = 60
"""Between two lines in a log, which has no bar."""


class Display:
    """A line for each validation; besides, a bar on a terminal, or a line about every minute in a log."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar = bar(
            self._console,
            "{task.completed:.0f}/{task.total:.0f} steps",
            "loss {task.fields[loss]:.4f}",
            "{task.fields[psnr]}",
            "{task.fields[rate]:.1f} steps/s",
        )
        self._task = self._bar.add_task("", total=1, loss=0.0, psnr="", rate=0.0)
        self._start_line()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, progress: Progress) -> None:
        """Shows one step."""
        fields: dict[str, Any] = {"loss": progress.loss, "rate": progress.rate}
        if progress.scores:
            fields["psnr"] = f"PSNR {progress.scores['psnr']:.2f} dB"
            scores = ", ".join(f"{name} {value:.4g}" for name, value in progress.scores.items())
            self._print(f"step {progress.step}: loss {progress.loss:.5f}, {scores}, {progress.rate:.1f} steps/s")
        self._bar.update(self._task, completed=progress.step, total=progress.steps, **fields)
        if not self._console.is_terminal:
            self._log(progress)

    def _log(self, progress: Progress) -> None:
        """The mean loss since the last line, once it is old enough."""
        self._losses.append(progress.loss)
        if time.monotonic() - self._line_start < LINE_SECONDS:
            return
        left = timedelta(seconds=round(progress.seconds_left))
        self._print(
            f"step {progress.step}/{progress.steps}: loss {fmean(self._losses):.5f}, lr {progress.lr:.3g}, "
            f"gradient norm {progress.grad_norm:.3g}, {progress.rate:.3g} steps/s, {left} left"
        )
        self._start_line()

    def _start_line(self) -> None:
        self._losses: list[float] = []
        self._line_start = time.monotonic()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False)

"""What `subpixel train` shows while it works, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from subpixel.training.recorder import Progress


class Display:
    """A bar on a terminal, and a line for each validation."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar = Bar(
            BarColumn(None),
            TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TextColumn("{task.fields[psnr]}"),
            TextColumn("{task.fields[rate]:.1f} steps/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=1, loss=0.0, psnr="", rate=0.0)

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
            self._console.print(
                f"step {progress.step}: loss {progress.loss:.5f}, {scores}, {progress.rate:.1f} steps/s", markup=False
            )
        self._bar.update(self._task, completed=progress.step, total=progress.steps, **fields)

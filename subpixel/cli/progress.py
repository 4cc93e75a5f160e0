"""What `subpixel upscale` shows while it works and when it is done, on standard error."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from subpixel.jobs.discovery import Job
from subpixel.jobs.pool import Event, Finished, Progress


class Display:
    """A bar on a terminal, and lines: what was chosen, what a format lost, what failed, and the sum."""

    def __init__(self, images: int, *, skipped: int) -> None:
        self.failures: list[Finished] = []
        self._images, self._skipped = images, skipped
        self._done: list[Finished] = []
        self._pixels = 0
        self._shares: dict[Job, float] = {}  # of the images that are being made
        self._chosen = ""
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar = Bar(
            BarColumn(None),
            TextColumn("{task.fields[images]}/{task.total:.0f} images"),
            TextColumn("{task.fields[speed]:.1f} megapixels/s"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=images, images=0, speed=0.0)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if kind is None:
            self._summary()
        elif kind is KeyboardInterrupt:
            self._say(f"subpixel: stopped; {len(self._done)} of {self._images} images are done")

    def show(self, event: Event) -> None:
        """Shows one event; raises the error of an image that is the only one."""
        if isinstance(event, Progress):
            self._band(event)
        else:
            self._end(event)
        images = len(self._done) + len(self.failures)
        speed = self._pixels / 1e6 / max(time.monotonic() - self._started, 1e-6)
        self._bar.update(self._task, completed=images + sum(self._shares.values()), images=images, speed=speed)

    def _band(self, band: Progress) -> None:
        if not self._chosen:
            self._chosen = band.chosen
            self._say(band.chosen)
        self._pixels += band.pixels
        self._shares[band.job] = self._shares.get(band.job, 0.0) + band.share

    def _end(self, event: Finished) -> None:
        self._shares.pop(event.job, None)
        if event.error is None:
            self._done.append(event)
            if event.note:
                self._say(f"note: {event.job.target}: {event.note}")
        elif self._images + self._skipped == 1:
            raise event.error
        else:
            self.failures.append(event)

    def _summary(self) -> None:
        seconds = time.monotonic() - self._started
        megapixels = self._pixels / 1e6
        where = str(self._done[0].job.target) if len(self._done) == 1 else f"{len(self._done)} images"
        parts = [f"{where}: {megapixels:.1f} megapixels in {seconds:.1f} s"] if self._done else []
        if self._skipped:
            parts.append(f"{self._skipped} skipped, for the result exists (--overwrite does it again)")
        if self.failures:
            parts.append(f"{len(self.failures)} failed:")
        self._say("; ".join(parts))
        for failure in self.failures:
            self._say(f"  {failure.failure}")

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)

"""What `subpixel video` says while it works: the plan, a bar, and how it ended."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console

from subpixel.cli.bars import bar
from subpixel.errors import printable
from subpixel.jobs.pool import Finished

if TYPE_CHECKING:
    from subpixel.video.upscaling import Event, Started


class VideoDisplay:
    """Lines on standard error, and a bar where that is a terminal."""

    def __init__(self, quiet: bool = False) -> None:
        self.failed = False
        self._quiet, self._frames, self._began = quiet, 0, time.monotonic()
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._bar = bar(self._console, "{task.completed} frames", quiet=quiet)
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit):
            self._say(
                f"subpixel: stopped after {self._frames} frames; the same call goes on after the last complete segment"
            )

    def show(self, event: Event) -> None:
        """Shows one event."""
        if isinstance(event, Finished):
            self._end(event)
        elif hasattr(event, "description"):
            self._start(event)  # pyright: ignore[reportArgumentType]
        else:
            self._frames += 1
            self._bar.advance(self._task)

    def _start(self, event: Started) -> None:
        self._bar.update(self._task, total=event.frames, completed=event.resumed)
        self._say(event.description)
        for warning in event.warnings:
            self._say(f"note: {warning}")
        if event.seconds is not None:
            goes_on = f"; it goes on after frame {event.resumed}" if event.resumed else ""
            self._say(f"about {_frames(event.frames)}, {_duration(event.seconds)}{goes_on}")

    def _end(self, event: Finished) -> None:
        seconds = time.monotonic() - self._began
        self._say(f"{event.job.target}: {_frames(self._frames)} in {_duration(seconds)}")
        if event.error:
            self.failed, self._quiet = True, False  # failures are always told
            self._say(f"subpixel: {event.error}")

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._console.print(printable(line), markup=False)


def _frames(count: int | None) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _duration(seconds: float) -> str:
    """1 h 05 min, 3 min or 12 s."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"

"""What a command that works on many images shows while it works and when it is done: a bar, lines, or JSON."""

from __future__ import annotations

import json
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import typer
from rich.console import Console

from subpixel.cli.bars import bar
from subpixel.errors import BadRequest, Unexpected, printable
from subpixel.images.streams import STREAM
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Event, Finished, Passed, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_COUNTED = 10_000
"""Up to so many jobs are found before the first is done, so that it is known how many there are."""
_REFRESH = 0.1
"""Seconds between two states of the bar."""


class Display(Protocol):
    """Shows events, and knows afterwards whether some were failures."""

    tally: Tally

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, event: Event) -> None:
        """Takes the next event of a pool."""
        ...


class Tally:
    """What was done so far."""

    def __init__(self, total: int | None) -> None:
        self.total = total
        """None while more jobs may be found than were counted."""
        self.done = 0
        self.failures: list[Finished] = []
        self.skipped = Counter[str]()
        self.pixels = 0
        self.begun = Counter[Job]()
        """Pixels of images that are being made."""
        self.last = ""
        """The target that was written last."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the display began."""
        return time.monotonic() - self._started

    @property
    def ended(self) -> int:
        """Images that are over: done, failed or skipped."""
        return self.done + len(self.failures) + self.skipped.total()

    def add(self, event: Event) -> None:
        """Counts it; raises the error of a job that is the only one."""
        if isinstance(event, Progress):
            self.pixels += event.pixels
            self.begun[event.job] += event.pixels
            return
        if isinstance(event, Passed):
            self.skipped.update(job.skipped for job in event.jobs)
            return
        pixels = self.begun.pop(event.job, 0)
        if event.error is not None:
            if self.total == 1:
                raise event.error
            self.pixels -= pixels
            self.failures.append(event)
        else:
            self.done += 1
            self.last = event.job.target


def check_said(quiet: bool, verbose: bool, as_json: bool) -> None:
    """Raises: BadRequest for wishes that contradict each other."""
    if quiet + verbose + as_json > 1:
        raise BadRequest("--quiet, --verbose and --json contradict each other; give one of them")


def display(
    jobs: Iterator[Job], *, quiet: bool = False, verbose: bool = False, as_json: bool = False
) -> tuple[Iterable[Job], Display]:
    """The jobs, and what shows their events. Raises: BadRequest for wishes that contradict each other."""
    check_said(quiet, verbose, as_json)
    first = list(islice(jobs, _COUNTED))
    tally = Tally(len(first) if len(first) < _COUNTED else None)
    if not as_json:
        return chain(first, jobs), Text(tally, quiet, verbose)
    if any(job.target == STREAM for job in first):
        raise BadRequest("--json and a result on standard output contradict each other; name a file with -o")
    return chain(first, jobs), Lines(tally)


class Lines:
    """A JSON object a line, on standard output: one for each job as it ends, and one for the sum."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tally = self.tally
        sums = {"done": tally.done, "skipped": tally.skipped.total(), "failed": len(tally.failures)}
        self._line({**sums, "pixels": tally.pixels, "seconds": round(tally.seconds, 3)})

    def show(self, event: Event) -> None:
        """Shows one event; raises the error of an image that is the only one."""
        if isinstance(event, Passed):
            for job in event.jobs:
                self._line({"status": "skipped", **_names(job), "reason": job.skipped})
        elif isinstance(event, Finished):
            self._line(_described(event, self.tally.begun[event.job]))
        self.tally.add(event)

    def _line(self, values: dict[str, Any]) -> None:
        typer.echo(json.dumps(values))


def _described(end: Finished, pixels: int) -> dict[str, Any]:
    status, why = ("failed", {"error": end.failure}) if end.error else ("done", {"pixels": pixels})
    note = {"note": end.note} if end.note else {}
    return {"status": status, **_names(end.job), **why, **note}


def _names(job: Job) -> dict[str, str]:
    return {"source": job.source, "target": job.target}


class Text:
    """On standard error: a bar on a terminal, else a line for each image; notes, failures and the sum."""

    def __init__(self, tally: Tally, quiet: bool = False, verbose: bool = False) -> None:
        self.tally = tally
        self._quiet, self._verbose = quiet, verbose
        self._shares: dict[Job, float] = {}  # of the images that are being made
        self._chosen = ""
        self._shown = 0.0
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._lines = verbose or (not self._console.is_terminal and not quiet and tally.total != 1)
        self._bar = None  # where no terminal shows one: importing it takes a twentieth of a small image's time
        if self._console.is_terminal and not quiet:
            self._bar = bar(self._console, "{task.fields[images]} images", "{task.fields[speed]:.1f} megapixels/s")
            self._bar.add_task("", total=tally.total, images="0", speed=0.0)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        if kind is None:
            self._summary()
        elif issubclass(kind, KeyboardInterrupt | SystemExit):
            self._say(f"subpixel: stopped; {self._count(self.tally.done)} images are done")

    def show(self, event: Event) -> None:
        """Shows one event; raises the error of an image that is the only one."""
        self.tally.add(event)
        if isinstance(event, Progress):
            self._band(event)
        elif isinstance(event, Passed):
            self._pass(event)
        else:
            self._end(event)
        if self._bar and time.monotonic() - self._shown > _REFRESH:
            self._refresh(self._bar)

    def _refresh(self, shown: Bar) -> None:
        self._shown, tally = time.monotonic(), self.tally
        speed = tally.pixels / 1e6 / max(tally.seconds, 1e-6)
        completed = tally.ended + sum(self._shares.values())
        shown.update(shown.task_ids[0], completed=completed, images=self._count(tally.ended), speed=speed)

    def _band(self, band: Progress) -> None:
        if not self._chosen or (self._verbose and band.job not in self._shares):
            self._chosen = band.chosen
            self._say(f"{band.job.source}: {band.chosen}" if self._lines and self._verbose else band.chosen)
        self._shares[band.job] = self._shares.get(band.job, 0.0) + band.share

    def _end(self, event: Finished) -> None:
        self._shares.pop(event.job, None)
        where = event.job.target
        if event.error:
            self._line(f"failed: {event.failure}")
            if self._verbose and isinstance(event.error, Unexpected):
                self._say("".join(traceback.format_exception(event.error.__cause__)), raw=True)
        else:
            self._line(where)
            if event.note:
                self._say(f"note: {where}: {event.note}")

    def _pass(self, event: Passed) -> None:
        for job in event.jobs if self._verbose else ():
            self._line(f"{job.source} skipped, for {job.skipped}")

    def _line(self, text: str) -> None:
        if self._lines:
            self._say(f"{self._count(self.tally.ended)} {text}")

    def _summary(self) -> None:
        tally = self.tally
        where = tally.last if tally.done == 1 else f"{tally.done} images"
        parts = [f"{where}: {tally.pixels / 1e6:.1f} megapixels in {tally.seconds:.1f} s"] if tally.done else []
        parts += [f"{count} skipped, for {why}" for why, count in tally.skipped.items()]
        if tally.failures:
            parts.append(f"{len(tally.failures)} failed:")
        self._say("; ".join(parts))
        self._quiet = False  # failures are always told
        for failure in tally.failures:
            self._say(f"  {failure.failure}")

    def _count(self, number: int) -> str:
        return str(number) if self.tally.total is None else f"{number}/{self.tally.total}"

    def _say(self, line: str, raw: bool = False) -> None:
        if not self._quiet:
            self._console.print(line if raw else printable(line), markup=False)

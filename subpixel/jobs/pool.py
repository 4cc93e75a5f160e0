"""Many images, band by band and two at a time: one is decoded or encoded while the other is computed."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from subpixel.errors import BadRequest, OutOfMemory, SubpixelError, UnreadableImage, UnwritableImage
from subpixel.images import format_of, lost_on_write, open_image
from subpixel.inference.rows import Rows
from subpixel.inference.upscaler import Upscaler, write_rows
from subpixel.jobs.discovery import STREAM, Job

_WORKERS = 2
_LARGE = 64 * 10**6
"""A result of more pixels than this is made alone, so that the memory is that of one large image."""


@dataclass(frozen=True)
class Progress:
    """A part of a result was computed: how many pixels, and which share of its image."""

    job: Job
    pixels: int
    share: float
    chosen: str
    """What does the work: see `Upscaler.describe`."""


@dataclass(frozen=True)
class Finished:
    """An image was written, or could not be."""

    job: Job
    note: str | None = None
    """What the format could not keep."""
    error: SubpixelError | None = None

    @property
    def failure(self) -> str:
        """One line with the image's name and why it failed."""
        text = str(self.error)
        return text if str(self.job.source) in text else f"{self.job.source}: {text}"


Event = Progress | Finished


class _Stopped(Exception):
    """Nobody waits for the result any more."""


def upscale_batch(
    jobs: Sequence[Job],
    make: Callable[[], Upscaler],
    *,
    format: str | None = None,
    quality: int = 95,
    compress: bool = False,
) -> Generator[Event]:
    """Enlarges images into files and tells of each band and each image as it is done.

    make: called once for each of the workers, for an upscaler runs one image at a time. An image that
    cannot be read, enlarged or written is told of and the others go on. Close the generator and what is half
    done is removed. Missing folders of the targets are made, and removed again if they stay empty.
    Raises: UnwritableImage for a folder that cannot be written to; what concerns every image, such as a
    runtime that is not there.
    """
    batch = _Batch(jobs, make, format, quality, compress)
    made = list[Path]()
    threads = [threading.Thread(target=batch.work) for _ in range(min(_WORKERS, len(jobs)))]
    try:
        _prepare(jobs, made)
        for thread in threads:
            thread.start()
        yield from batch.events(len(threads))
    finally:
        batch.stop.set()
        for thread in threads:
            if thread.ident:
                thread.join()
        for folder in reversed(made):
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _prepare(jobs: Sequence[Job], made: list[Path]) -> None:
    """Makes the folders of the targets and notes those it made, outer ones first."""
    for folder in sorted({job.target.parent for job in jobs if job.target != STREAM}):
        missing = [place for place in (folder, *folder.parents) if not place.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"the folder cannot be made: {(error.strerror or '').lower()}"
            raise UnwritableImage(folder, why) from error
        finally:
            made += [place for place in reversed(missing) if place.exists()]
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UnwritableImage(folder, "the folder is write-protected")


class _Batch:
    """What the workers share: the jobs that wait, the events, and the word to stop."""

    def __init__(
        self,
        jobs: Sequence[Job],
        make: Callable[[], Upscaler],
        format: str | None,
        quality: int,
        compress: bool,
    ) -> None:
        self.stop = threading.Event()
        self._make, self._format, self._quality, self._compress = make, format, quality, compress
        self._waiting = iter(jobs)
        self._events = queue.SimpleQueue[Event | BaseException | None]()
        self._taking, self._large = threading.Lock(), threading.Lock()

    def events(self, workers: int) -> Iterator[Event]:
        """Everything the workers tell, until the last of them has ended; raises what ended one of them."""
        while workers:
            event = self._events.get()
            if event is None:
                workers -= 1
            elif isinstance(event, BaseException):
                raise event
            else:
                yield event

    def work(self) -> None:
        """What a worker does: one job after the other."""
        try:
            with self._make() as upscaler:
                while (job := self._take()) is not None:
                    self._events.put(self._upscale(job, upscaler))
        except _Stopped:
            pass
        except BaseException as error:
            self._events.put(error)
        finally:
            self._events.put(None)

    def _take(self) -> Job | None:
        with self._taking:
            return None if self.stop.is_set() else next(self._waiting, None)

    def _upscale(self, job: Job, upscaler: Upscaler) -> Finished:
        try:
            source = open_image(job.source)
            rows = upscaler.rows(source)
            with self._large if rows.height * rows.width > _LARGE else nullcontext():
                told = partial(self._tell, job, rows, upscaler.describe(source.height, source.width))
                write_rows(
                    rows,
                    job.target,
                    source.metadata,
                    told,
                    format=self._format,
                    quality=self._quality,
                    compress=self._compress,
                )
            return Finished(job, lost_on_write(format_of(job.target, self._format), source.metadata))
        except (UnreadableImage, UnwritableImage, BadRequest, OutOfMemory) as error:
            return Finished(job, error=error)
        except MemoryError:
            return Finished(job, error=OutOfMemory("the result does not fit into memory; free some"))

    def _tell(self, job: Job, rows: Rows, chosen: str, count: int) -> None:
        if self.stop.is_set():
            raise _Stopped
        self._events.put(Progress(job, count * rows.width, count / rows.height, chosen))

"""Jobs in parallel, taken one by one: a job's fault costs that job alone, and every front end sees the same events."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import (
    BadWeights,
    MissingExtra,
    OutOfMemory,
    RuntimeUnavailable,
    SubpixelError,
    Unexpected,
    UnknownName,
    UnreadableImage,
    UnwritableImage,
    printable,
    unwritten,
)  # fmt: skip
from subpixel.images.streams import STREAM
from subpixel.jobs.folders import make_folder, remove_empty
from subpixel.jobs.job import Job
from subpixel.jobs.stores import is_url

_OF_ALL = (BadWeights, MissingExtra, RuntimeUnavailable, UnknownName)
"""The errors that concern every job; any other is one job's own."""
_WAITING = 256
"""Events that nobody has taken yet; then the workers wait, so that they do not fill the memory."""
_TOGETHER = 1000
"""Jobs with nothing to do that are told of at once."""
_AGAIN = 0.1
"""Seconds until a job that another process was doing is looked at again."""


@dataclass(frozen=True)
class Progress:
    """A part of a result was computed: how many pixels, and which share of its image."""

    job: Job
    pixels: int
    share: float
    chosen: str
    """What does the work: see `Plan.describe`."""


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
        text, source = str(self.error), printable(self.job.source)
        return text if source in text else f"{source}: {text}"


@dataclass(frozen=True)
class Passed:
    """Some images that need not be done, each for its reason (`job.skipped`), in the order in which they were found."""

    jobs: Sequence[Job]


Event = Progress | Finished | Passed

Work = Callable[[Job, Callable[[Progress], None]], str | None]
"""Does a job, tells its progress to the function, and returns what its result could not keep."""


class Taken(Exception):
    """Raised by the work: another process is doing this job. It is looked at again when the others are done."""


class Skip(Exception):
    """Raised by the work: there is nothing to do any more; the text is the reason."""


class _Stopped(Exception):
    """Nobody waits for the result any more."""


def run(jobs: Iterable[Job], work: Work, workers: int = 2) -> Generator[Event]:
    """Does jobs in so many threads and yields what happens as it happens.

    A job is taken when a worker is free for it. One that cannot be read, computed or written is told of and the
    others go on. Close the generator and what is half done is removed. Missing folders of the targets are made, and
    removed again if they stay empty. Jobs with nothing to do are told of many at a time.
    Raises: what concerns every job, such as a runtime that is not there.
    """
    pool = _Pool(jobs, work)
    threads = [threading.Thread(target=pool.work) for _ in range(workers)]
    try:
        for thread in threads:
            thread.start()
        yield from pool.events(len(threads))
    finally:
        pool.stop.set()
        for thread in threads:
            while thread.is_alive():
                pool.forget()
                thread.join(0.02)
        remove_empty(pool.folders)


class _Pool:
    """What the workers share: the jobs that wait, the events, the folders they made, and the word to stop."""

    def __init__(self, jobs: Iterable[Job], work: Work) -> None:
        self.stop = threading.Event()
        self._waiting, self._work = iter(jobs), work
        self._events = queue.Queue[Event | BaseException | None](_WAITING)
        self._taking, self.folders = threading.Lock(), list[Path]()
        self._passed, self._taken = list[Job](), deque[Job]()

    def events(self, workers: int) -> Iterator[Event]:
        """Everything the workers emit, until the last of them has ended; raises what ended one of them."""
        while workers:
            event = self._events.get()
            if event is None:
                workers -= 1
            elif isinstance(event, BaseException):
                raise event
            else:
                yield event

    def forget(self) -> None:
        """Makes room for workers that wait to tell of what nobody waits for."""
        with suppress(queue.Empty):
            while True:
                self._events.get_nowait()

    def work(self) -> None:
        """What a worker does: one job after the other."""
        try:
            while (job := self._take()) is not None:
                try:
                    self._events.put(self._finished(job))
                except Taken:
                    self._taken.append(job)
                except Skip as skip:
                    self._events.put(Passed([job._replace(skipped=str(skip))]))
        except _Stopped:
            pass
        except BaseException as error:
            self._events.put(error)
        finally:
            self._events.put(None)

    def _take(self) -> Job | None:
        """The next job; those before it with nothing to do are told of. At the end, those that others were doing."""
        with self._taking:
            while not self.stop.is_set():
                job = next(self._waiting, None)
                if job is None or not job.skipped:
                    self._emit_passed()
                    return job or self._taken_before()
                self._passed.append(job)
                if len(self._passed) == _TOGETHER:
                    self._emit_passed()
            return None

    def _emit_passed(self) -> None:
        if self._passed:
            self._events.put(Passed(self._passed))
            self._passed = []

    def _taken_before(self) -> Job | None:
        if not self._taken or self.stop.wait(_AGAIN):
            return None
        return self._taken.popleft()

    def _finished(self, job: Job) -> Finished:
        if job.refused:
            return Finished(job, error=job.refused)
        try:
            self._make_folder(job)
            return Finished(job, self._work(job, self._emit))
        except (_Stopped, Taken, Skip, *_OF_ALL):
            raise
        except SubpixelError as error:
            return Finished(job, error=error)
        except MemoryError:
            return Finished(job, error=OutOfMemory("the result does not fit into memory; free some"))
        except OSError as error:
            return Finished(job, error=_of_the_system(job, error))
        except Exception as error:
            wrapped = Unexpected(job.source, error)
            wrapped.__cause__ = error
            return Finished(job, error=wrapped)

    def _make_folder(self, job: Job) -> None:
        folder = Path(os.path.dirname(job.target))
        if job.target == STREAM or is_url(job.target) or os.path.isdir(folder):
            return
        with self._taking:
            self.folders += make_folder(folder)

    def _emit(self, progress: Progress) -> None:
        if self.stop.is_set():
            raise _Stopped
        self._events.put(progress)


def _of_the_system(job: Job, error: OSError) -> SubpixelError:
    why = unwritten(error)
    if error.filename is not None and str(error.filename) == job.source:
        return UnreadableImage(job.source, why)
    return UnwritableImage(job.target, why)

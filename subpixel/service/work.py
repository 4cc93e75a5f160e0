"""What a worker does with a job: three tries in a process of its own, the result whole or absent, then the state."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from subpixel.errors import ProcessDied, SubpixelError
from subpixel.jobs.isolated import Isolated
from subpixel.jobs.queue import Json
from subpixel.jobs.worker import Run, Stopped
from subpixel.service.clock import now
from subpixel.service.imaging import perform
from subpixel.service.orders import Order
from subpixel.service.problems import Refusal, refusal
from subpixel.service.records import TRIES, UNFINISHED, Record, Records

_LOOK = 0.05
"""Seconds between two looks at whether a job that waits for a process is still wanted."""
_NICE = 5
"""By how much a job's wishes for a core count less than those of somebody who waits for an answer."""
_PERIOD = 0.3
"""Seconds between two notes of the progress."""


class Enlarging:
    """Does the service's tasks. data: the folder with the uploads and the results; processes: how many at a time."""

    def __init__(self, records: Records, data: Path, processes: int, max_seconds: float = 3600.0) -> None:
        self.isolated = Isolated(perform, processes, nice=_NICE)
        self._places = threading.Semaphore(processes)
        self._records, self._data, self._max_seconds = records, data, max_seconds

    def __call__(self, run: Run) -> Json:
        while not self._places.acquire(timeout=_LOOK):
            run.check()
        try:
            self._try_thrice(run)
        except Stopped:
            self._records.put_back(run.id)
            self._clear(run.id)
            raise
        finally:
            self._places.release()
        return {}

    def close(self) -> None:
        self.isolated.close()

    def _try_thrice(self, run: Run) -> None:
        from sqlalchemy.exc import OperationalError

        while (record := self._records.begin(run.id)) is not None:
            try:
                return self._try(record, run)
            except ProcessDied as error:
                if self._records.died(run.id) >= TRIES:
                    why = f"it ended the process three times, at last by {error.ending}; there may be too little memory"
                    return self._fail(record, Refusal("process-died", why))
            except (Refusal, SubpixelError) as error:
                return self._fail(record, _of_job(error))
            except OperationalError:  # the database is away: the worker tries again
                raise
            except Exception as error:
                return self._fail(record, refusal(error))
        return None

    def _try(self, record: Record, run: Run) -> None:
        source, target = upload_of(self._data, record.id), result_of(self._data, record.id, record.format)
        order = Order("enlarge", str(source), str(target), record.request)
        check = limited(run.check, self._max_seconds)
        enlarged = self.isolated(order, _ProgressWriter(self._records, record.id), check)
        done = {**asdict(enlarged), "state": "done", "share": 1.0, "finished": now()}
        if not self._records.change(record.id, UNFINISHED, **done):
            self._withdraw(record.id, target)
        source.unlink(missing_ok=True)

    def _withdraw(self, id: str, target: Path) -> None:
        """The job was cancelled in the meantime; or, where this worker was held for dead, done by another."""
        record = self._records.get(id)
        if record is None or record.state != "done":
            target.unlink(missing_ok=True)

    def _clear(self, id: str) -> None:
        """Removes what a video's earlier tries have made, where nobody goes on with it."""
        record = self._records.get(id)
        if record is None or record.state not in UNFINISHED:
            for partial in (self._data / "results").glob(f"{id}.*.partial"):
                shutil.rmtree(partial, ignore_errors=True)

    def _fail(self, record: Record, why: Refusal) -> None:
        error = why.problem.model_dump_json()
        self._records.change(record.id, UNFINISHED, state="failed", error=error, finished=now())
        upload_of(self._data, record.id).unlink(missing_ok=True)
        self._clear(record.id)


class _ProgressWriter:
    """Notes the progress of a job, not too often."""

    def __init__(self, records: Records, id: str) -> None:
        self._records, self._id, self._next = records, id, 0.0

    def __call__(self, progress: tuple[float, str]) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PERIOD
            self._records.change(self._id, ["running"], share=progress[0], chosen=progress[1])


def limited(check: Callable[[], None], seconds: float) -> Callable[[], None]:
    """The same check, which also refuses when the time is over."""
    end = time.monotonic() + seconds

    def checked() -> None:
        check()
        if time.monotonic() > end:
            raise Refusal("too-long", f"it took more than {seconds:g} s; ask for a smaller result or a faster model")

    return checked


def upload_of(data: Path, id: str) -> Path:
    """Where the source of a job lies."""
    return data / "uploads" / id


def result_of(data: Path, id: str, format: str) -> Path:
    """Where the result of a job lies, in one of the formats that it was asked for in."""
    return data / "results" / f"{id}.{format}"


def _of_job(error: Any) -> Refusal:
    """A bad request is told at once; what is found later is the image's failure."""
    why = error if isinstance(error, Refusal) else refusal(error)
    return Refusal("failed-image", why.detail) if why.kind in ("bad-request", "unreadable-image") else why

"""What the routes share: settings, queue, records and the processes that look at images; and what is tidied."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from subpixel import atomic
from subpixel.jobs.isolated import Isolated
from subpixel.jobs.queue import Queue
from subpixel.jobs.worker import Heartbeats
from subpixel.service.clock import now
from subpixel.service.imaging import perform
from subpixel.service.orders import Order
from subpixel.service.problems import Refusal, retry
from subpixel.service.records import UNFINISHED, Bounds, Record, Records
from subpixel.service.settings import Settings
from subpixel.service.view import Job, job_of
from subpixel.service.watch import Watch
from subpixel.service.work import limited, result_of, upload_of

log = logging.getLogger("subpixel.service")
_TIDY = 2.0
"""Seconds between two rounds."""
_STUCK = 60.0
"""Seconds after which jobs that wait without any movement mean that the workers hang."""
_ORPHAN = 3600.0
"""Seconds after which a file that belongs to no job is a leftover."""
_FREE = 2**26
"""Bytes of the disk that are left alone."""
_FORMATS = 2
"""Other formats of results that are made for a client, or wait, at a time."""
_SLOW = 30.0
"""Seconds that somebody waits for a look at an image, or a small result."""


class Service:
    """One server; the folders of its settings are there."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self.settings, self.queue = settings, queue
        self.records = Records(queue)
        self.watch = Watch(self.records)
        self.bounds = Bounds(settings.max_queued, settings.per_client)
        self.requests = Counter[tuple[str, str, int]]()
        self.stopping = False
        self.workers = set[str]()
        """Those with a pulse."""
        self.cards = list[dict[str, Any]]()
        """Of the models, once somebody has asked."""
        self._examiner, self._small = Isolated(perform), Isolated(perform)
        self._turn, self._one_format = asyncio.Semaphore(2), asyncio.Semaphore(1)  # those that wait need no thread
        self._formats = Counter[str]()
        """How many of them each client waits for."""
        self._bodies = list[tuple[str, int]]()
        """Client and bytes of each upload that is on its way."""
        self._heartbeats = Heartbeats(settings.lease)
        self._orphans = dict[Path, tuple[int, float]]()
        """Files that belong to no job, their bytes, and since when that is so."""
        self._used = self.used()
        self._moved, self._moves = time.monotonic(), -1

    def examining(self, upload: Path, request: str) -> Order:
        """A look at an upload, and at what is asked of it, within the bounds."""
        return Order("examine", str(upload), "", request, self.settings.max_pixels, self.settings.max_video)

    async def examine(self, order: Order) -> Any:
        """A look at a header, which waits for its turn."""
        async with self._turn:
            return await self._perform(self._examiner, order)

    async def convert(self, order: Order, client: str) -> None:
        """Makes another format of a result, after those that came before, unless one of them has.

        Raises: as `jobs.isolated`; Refusal for a client that waits for several already.
        """
        if Path(order.target).exists():
            return
        if self._formats[client] >= _FORMATS:
            raise retry("busy", f"{_FORMATS} other formats are being made for you; ask again when one is done", 5)
        self._formats[client] += 1
        try:
            async with self._one_format:
                if not Path(order.target).exists():
                    await self._perform(self._small, order)
        finally:
            self._formats[client] -= 1
            self._formats += Counter()  # without those that wait for none

    async def perform_now(self, order: Order) -> Any:
        """What somebody waits for. Raises: Refusal where another one is being served."""
        done = await asyncio.to_thread(self._small.try_call, order, limited(lambda: None, _SLOW))
        if done is None:
            raise retry("busy", "another image is being done; ask again, or use /v1/jobs", 1)
        return done[0]

    async def _perform(self, isolated: Isolated, order: Order) -> Any:
        return await asyncio.to_thread(isolated, order, lambda _: None, limited(lambda: None, _SLOW))

    @contextmanager
    def receiving(self, client: str, length: int | None) -> Generator[None]:
        """Room for an upload of so many bytes, as many as there may be where that is not stated, while the block lasts.

        Raises: Refusal for a client with as many on their way as it may have jobs, and where all those on their way
        would take more than half of the disk that may be used.
        """
        own, most = sum(who == client for who, _ in self._bodies), self.bounds.client
        if own >= most:
            raise retry("client-full", f"{own} of your images are arriving; send the next when one has arrived", 5)
        body = client, self.settings.max_upload if length is None else length
        if self._bodies and sum(size for _, size in (*self._bodies, body)) > self.settings.disk // 2:
            raise retry("disk-full", "many images are arriving; ask again later", 5)
        self._bodies.append(body)
        try:
            yield
        finally:
            self._bodies.remove(body)

    def accept(self, record: Record, upload: Path) -> Record:
        """The file, then the row: a row without its file is never seen. Raises: Refusal."""
        kept = self.upload(record.id)
        atomic.commit(upload, kept)
        try:
            accepted = self.records.accept(record, self.bounds)
        except BaseException:
            kept.unlink(missing_ok=True)
            raise
        if accepted.id != record.id:
            kept.unlink(missing_ok=True)
        return accepted

    def discard(self, record: Record) -> None:
        """Ends a job that is not done, and removes what is kept of one that is."""
        if record.state in UNFINISHED:
            self.records.cancel(record.id)
            self.upload(record.id).unlink(missing_ok=True)
        else:
            self.expire(record)

    def find(self, id: str) -> Record | None:
        """A job as it is now; None where there is none."""
        record = self.records.get(id)
        return record and self._current(record)

    def _current(self, record: Record) -> Record:
        """The same job, whose result goes at once where the time of that is over."""
        if record.state != "done" or not self._is_over(record):
            return record
        self.expire(record)
        return replace(record, state="expired", revision=record.revision + 1)

    def _is_over(self, record: Record, times: int = 1) -> bool:
        """Whether so many times the time for which results are kept has passed."""
        return record.finished is not None and record.finished + times * self.settings.keep <= now()

    def view(self, record: Record) -> Job:
        """A job as its client sees it."""
        record = self._current(record)
        ahead = self.records.ahead(record) if record.state == "waiting" else 0
        return job_of(record, ahead, self.settings.base_path, self.settings.keep)

    def upload(self, id: str) -> Path:
        """Where the upload of a job lies."""
        return upload_of(self.settings.data, id)

    def result(self, record: Record, format: str | None = None) -> Path:
        """Where the result of a job lies, in its own format or another."""
        return result_of(self.settings.data, record.id, format or record.format)

    @property
    def unready(self) -> str | None:
        """Why no job would be done now, if so."""
        if self.stopping:
            return "it is about to end"
        if not self.workers:
            return "no worker has a pulse"
        waiting = self.records.counts().get("waiting", 0)
        if waiting and time.monotonic() - self._moved > _STUCK:
            return f"{waiting} jobs wait, and nothing has moved for a minute"
        return None

    def expire(self, record: Record) -> int:
        """Removes what is kept of a result; how many bytes that were."""
        return self._remove_files(record) if self.records.change(record.id, ["done"], state="expired") else 0

    async def run(self) -> None:
        """Tidies until it is cancelled."""
        due = 0.0
        while True:
            try:
                await asyncio.to_thread(self._check_workers)
                if time.monotonic() >= due:
                    due = time.monotonic() + 15 * _TIDY
                    await asyncio.to_thread(self.tidy)
            except Exception:  # the database or the disk is away: that may pass
                log.exception("cannot tidy")
            await asyncio.sleep(_TIDY)

    def close(self) -> None:
        """Ends the processes."""
        self._examiner.close()
        self._small.close()

    def _check_workers(self) -> None:
        """Which workers live, by their heartbeats, and whether anything moves."""
        heartbeats = self.queue.beats()
        self.workers = set(heartbeats) - self._heartbeats.dead(heartbeats)
        moves = self.records.moves()
        if moves != self._moves:
            self._moves, self._moved = moves, time.monotonic()

    def tidy(self, room: int = 0) -> None:
        """Removes results whose time is over, and the oldest until so many bytes have room; then leftovers."""
        done = self.records.in_state("done")
        used = self.used()
        for record in done:
            if self._is_over(record) or used + room > self.settings.disk:
                used -= self.expire(record)
        over = self.records.in_state("expired", "failed", "cancelled")
        gone = [record for record in over if self._is_over(record, 2)]
        for record in gone:
            self._remove_files(record)
        self.records.forget([record.id for record in gone])
        self._give_up_dead()
        self._sweep()
        self._used = self.used()

    def used(self) -> int:
        """Bytes of the uploads and results on the disk."""
        folders = (self.settings.uploads, self.settings.results)
        return sum(_size(path) for folder in folders for path in folder.rglob("*"))

    def check_disk(self, more: int) -> None:
        """Raises: Refusal where so many bytes more have no room."""
        if self._used + more > self.settings.disk:
            self.tidy(more)
        free = min(shutil.disk_usage(self.settings.data).free - _FREE, self.settings.disk - self._used)
        if free < more:
            raise retry("disk-full", "the server has no room for the image; ask again later", 60)

    def _give_up_dead(self) -> None:
        """Jobs that the queue has given up: whoever did them died, again and again."""
        ids = [record.id for record in self.records.unfinished()]
        states = self.queue.states(ids) if ids else {}
        died = Refusal("process-died", "the machines that did it ended, again and again").problem.model_dump_json()
        going = {name for name, state in states.items() if state.state in UNFINISHED}
        for name in ids:
            if name not in going:
                self.records.change(name, UNFINISHED, state="failed", error=died, finished=now())

    def _sweep(self) -> None:
        """What a process that was ended was writing; and files that have belonged to no job for long."""
        atomic.sweep(self.settings.results, again=True)
        unwanted = dict[Path, tuple[int, float]]()
        for folder, states in ((self.settings.uploads, UNFINISHED), (self.settings.results, (*UNFINISHED, "done"))):
            names = {path: path.name.partition(".")[0] for path in folder.iterdir()}
            wanted = {record.id for record in self.records.all([*set(names.values())]) if record.state in states}
            seen = time.monotonic()
            for path in (path for path, name in names.items() if name not in wanted):
                size, (before, since) = _size(path), self._orphans.get(path, (-1, seen))
                unwanted[path] = size, since if size == before else seen  # one that grows is being received
        for path, (_, since) in unwanted.items():
            if time.monotonic() - since > _ORPHAN:
                _remove(path)
        self._orphans = unwanted

    def _remove_files(self, record: Record) -> int:
        """How many bytes are free now."""
        paths = [self.upload(record.id), *self.settings.results.glob(f"{record.id}.*")]
        freed = sum(map(_size, paths))
        for path in paths:
            _remove(path)
        return freed


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was removed in between
        return 0


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

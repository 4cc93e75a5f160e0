"""Who does the tasks of a `queue`: one process, of any number on any number of machines. (extra: serve)

DBOS gives a task to one process at a time, and remembers to which. Whose turn it is when that process dies, it does not
say; here every worker counts its own pulse in the database, and takes over from those whose count stands still.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Container, Mapping
from types import TracebackType
from typing import Any, Self

from subpixel.errors import printable
from subpixel.jobs.queue import APPLICATION, SILENT, Json, Queue, workers_table

_GRACE = 5.0
"""Seconds that a run has to hear that it is stopped."""
_AGAIN = 1.0
"""Seconds until a run goes on whose database was away, or full."""
_DIED = 100
"""How often a task may be given out again because its worker died; then it is dead-lettered."""


class Stopped(BaseException):
    """Nobody waits for the result of this run: its task was cancelled, put back, or given to another worker.

    Not an Exception: DBOS would write it down as the task's outcome.
    """


class Run:
    """One try to do a task."""

    def __init__(self, id: str, payload: Json) -> None:
        self.id, self.payload = id, payload
        self._stopped = threading.Event()

    def check(self) -> None:
        """To be called every so often. Raises: Stopped."""
        if self._stopped.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Raises: Stopped."""
        self._stopped.wait(seconds)
        self.check()

    def stop(self) -> None:
        """From now on `check` raises."""
        self._stopped.set()


Function = Callable[[Run], Json]
"""Does a task; what it returns, or raises, is its outcome."""


class Heartbeats:
    """Who is dead, as one observer sees it: no clock is compared with that of another machine.

    lease: seconds for which a count may stand still.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen = dict[str, tuple[int, float]]()

    def dead(self, heartbeats: Mapping[str, int]) -> set[str]:
        """Whose count has stood still for too long; beats: every executor's count now."""
        now = time.monotonic()
        changed = {who: count for who, count in heartbeats.items() if self._seen.get(who, (None, 0))[0] != count}
        self._seen = {who: self._seen[who] for who in heartbeats if who in self._seen}
        self._seen |= {who: (count, now) for who, count in changed.items()}
        return {who for who, (_, since) in self._seen.items() if now - since > self._lease}


class Worker:
    """Does tasks until it is stopped; there is one in a process. Enter it, or call `start` and `stop`.

    tasks: what does each kind. at_once: tasks of each kind that it takes at a time, each in a thread; the number is the
    queue's: that of the worker that began last holds for all. polling: seconds between two looks into the queue.
    watching: seconds between two looks at whether what is begun was cancelled. lease: seconds after which the tasks of
    a dead worker are taken over. patience: seconds that `stop` waits for what is begun.
    """

    def __init__(
        self,
        queue: Queue,
        tasks: Mapping[str, Function],
        at_once: int = 2,
        *,
        polling: float = 0.1,
        watching: float = 0.15,
        lease: float = 10.0,
        patience: float = 10.0,
    ) -> None:
        self.executor = str(uuid.uuid4())
        self._queue, self._tasks, self._at_once = queue, tasks, at_once
        self._polling, self._watching, self._lease, self._patience = polling, watching, lease, patience
        self._runs = dict[str, Run]()
        self._undone = set[str]()
        self._heartbeats = Heartbeats(lease)
        self._ended = threading.Event()
        self._pulse = threading.Thread(target=self._watch, name="subpixel-pulse", daemon=True)

    def start(self) -> None:
        """Takes tasks from the queue, in threads, until `stop`."""
        from dbos import DBOS

        self._dbos = DBOS(
            config={
                "name": APPLICATION,
                "system_database_engine": self._queue.engine,
                "application_version": APPLICATION,
                "executor_id": self.executor,
                "log_level": SILENT,
                "enable_otlp": False,
                "scheduler_polling_interval_sec": 3600.0,  # nothing is scheduled,
                "notification_coalesce_sec": 0.2,  # and nobody notified: two threads that sleep
            }
        )
        for kind, function in self._tasks.items():
            DBOS.workflow(name=kind, max_recovery_attempts=_DIED)(self._workflow(function))
            self._queue.register(kind, self._at_once, self._polling)
        DBOS.listen_queues(list(self._tasks))
        self._beat()
        DBOS.launch()
        jobs = self._dbos._background_jobs_stop_event  # pyright: ignore[reportPrivateUsage]
        for event in (*self._dbos.background_thread_stop_events, jobs):
            self._rest_while_full(event)
        self._pulse.start()

    def stop(self) -> None:
        """Takes nothing more, waits for what is begun, and puts back what does not end."""
        from dbos import DBOS

        for event in self._dbos.background_thread_stop_events:
            event.set()
        self._wait(self._patience)
        for run in list(self._runs.values()):
            run.stop()
        self._wait(_GRACE)
        DBOS._recover_pending_workflows([self.executor])  # pyright: ignore[reportPrivateUsage]
        self._ended.set()
        self._pulse.join()
        DBOS.destroy(destroy_registry=True)
        self._forget_worker(self.executor)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._runs and time.monotonic() < deadline:
            time.sleep(0.02)

    def _rest_while_full(self, event: threading.Event) -> None:
        """DBOS's threads pause on that event between two looks into the database; there must be room for a task."""
        wait = event.wait

        def pause(timeout: float | None = None) -> bool:
            while not (ended := wait(timeout)) and len(self._runs) >= self._at_once * len(self._tasks):
                pass
            return ended

        event.wait = pause

    def _workflow(self, function: Function) -> Callable[[str], str]:
        """A function of texts in ASCII, which every database takes: names of files need not be UTF-8."""
        from dbos import DBOS

        def do(payload: str) -> str:
            run = Run(str(DBOS.workflow_id), json.loads(payload))
            self._runs[run.id] = run
            try:
                return json.dumps(_result(function, run))
            except Exception as error:
                raise RuntimeError(printable((str(error) or type(error).__name__).splitlines()[0])) from error
            finally:
                self._runs.pop(run.id, None)

        return do

    def _watch(self) -> None:
        """Stops the runs that nobody waits for, beats, and takes over from the dead."""
        due = 0.0
        while not self._ended.wait(min(self._watching, self._lease / 5)):
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + self._lease / 5
                    self._beat()
                    self._take_over()
                elif runs := dict(self._runs):
                    _stop_lost(runs, self._queue.running(list(runs), self.executor))
            except Exception:  # the database is away: that passes, or the lease does
                continue

    def _beat(self) -> None:
        """Only while the threads that look into the queue live, too."""
        alive = {thread.name for thread in threading.enumerate()}
        if self._pulse.is_alive() and not all(f"queue-worker-{kind}" in alive for kind in self._tasks):
            return
        table = workers_table()
        with self._queue.engine.begin() as connection:
            mine = table.c.executor == self.executor
            if not connection.execute(table.update().where(mine).values(beats=table.c.beats + 1)).rowcount:
                connection.execute(table.insert().values(executor=self.executor, beats=1))

    def _take_over(self) -> None:
        from dbos import DBOS

        runs = dict(self._runs)
        pending: list[Any] = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        mine = {status.workflow_id: status.queue_name for status in pending if status.executor_id == self.executor}
        _stop_lost(runs, mine)
        self._take_back({task: kind for task, kind in mine.items() if task not in self._runs})
        heartbeats = {str(status.executor_id): 0 for status in pending} | self._queue.beats()
        for who in self._heartbeats.dead(heartbeats) - {self.executor}:
            DBOS._recover_pending_workflows([who])  # pyright: ignore[reportPrivateUsage]
            self._forget_worker(who)

    def _take_back(self, undone: Mapping[str, str]) -> None:
        """Puts back what is ours and what no thread of ours does, twice in a row: the database failed in between."""
        for task in self._undone & undone.keys():
            self._queue.retry([task], undone[task])
        self._undone = set(undone)

    def _forget_worker(self, executor: str) -> None:
        table = workers_table()
        with self._queue.engine.begin() as connection:
            connection.execute(table.delete().where(table.c.executor == executor))


def _stop_lost(runs: Mapping[str, Run], mine: Container[str]) -> None:
    """Those whose task is not this worker's any more."""
    for task, run in runs.items():
        if task not in mine:
            run.stop()


def _result(function: Function, run: Run) -> Json:
    """What the function returns, which is called again where the database was away in between."""
    from sqlalchemy.exc import OperationalError

    while True:
        try:
            result = function(run)
            run.check()
            return result
        except OperationalError:
            run.wait(_AGAIN)

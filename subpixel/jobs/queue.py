"""Durable tasks in a database, SQLite or Postgres, kept by DBOS: see `worker` for who does them. (extra: serve)

What is enqueued is on the disk when the call returns. Doing is at least once: whoever takes a task and dies in the
middle of it, another does it again.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from subpixel.errors import BadRequest, MissingExtra, QueueUnavailable

if TYPE_CHECKING:
    import sqlalchemy as sa
    import sqlalchemy.exc as exc
    from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

Json = dict[str, Any]
"""What goes through `json.dumps`."""

APPLICATION = "subpixel"
"""What DBOS calls us; it is also the version of the tasks, so that a newer program does what an older one enqueued."""
SILENT = "CRITICAL"
"""The level of DBOS's own log: what goes wrong with a task is told by its state."""
_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "fuse.sshfs", "ncpfs")
"""What the names of network file systems begin with."""
_SQLITE = (3, 42, 0)
"""From here on it knows fractions of a second, which DBOS asks for under Python 3.12 and later."""
_FIRST_TABLE = "dbos_migrations"
"""What DBOS makes before all others."""
_LOCK = 0x73756270
"""Of transactions in Postgres that exclude each other."""
_STATES = {
    "ENQUEUED": "waiting",
    "DELAYED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "CANCELLED": "cancelled",
}


@dataclass(frozen=True)
class Task:
    """Something to be done once; the id is the caller's, and another task with it is no second one."""

    id: str
    kind: str
    """Which function of the workers does it."""
    payload: Json
    priority: int = 1
    """Smaller numbers first, from 1; then who came first."""


@dataclass(frozen=True)
class State:
    """What has become of a task."""

    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    result: Json | None = None
    """What its function returned."""
    error: str | None = None
    """Why it failed, in one line."""


class Queue:
    """A database of tasks.

    url: sqlite:///PATH, on a disk of this machine, or postgresql://USER:PASSWORD@HOST/NAME. new: whether a file that is
    missing is made; tables are, in any case. Raises: QueueUnavailable, BadRequest, MissingExtra.
    """

    def __init__(self, url: str, new: bool = True) -> None:
        self.url = url
        self.engine = _opened(url, new)
        from dbos import DBOSClient

        self._client: DBOSClient = DBOSClient(system_database_engine=self.engine, application_name=APPLICATION)
        with self.exclusive() as connection:
            _tables().create_all(connection)

    @contextmanager
    def exclusive(self) -> Generator[sa.Connection]:
        """A transaction that excludes all others begun so: what it counts is still true when it writes."""
        begin = "BEGIN IMMEDIATE" if self.is_local else f"SELECT pg_advisory_xact_lock({_LOCK})"
        with self.engine.begin() as connection:
            connection.exec_driver_sql(begin)
            yield connection

    @property
    def is_local(self) -> bool:
        """Whether it serves the processes of this machine alone."""
        return self.engine.dialect.name == "sqlite"

    def enqueue(self, tasks: Iterable[Task], connection: sa.Connection | None = None) -> None:
        """All of the tasks or, where it raises, none; as a part of the caller's transaction, if one is given."""
        if connection is None:
            with self.exclusive() as own:
                return self.enqueue(tasks, own)
        for task in tasks:
            self._client.enqueue_in_transaction(connection, _options(task), json.dumps(task.payload))
        return None

    def states(self, ids: Sequence[str] | None = None, *, prefix: str | None = None) -> dict[str, State]:
        """The states of tasks by their ids, or of all whose ids begin so; what is unknown is left out."""
        workflows = self._client.list_workflows(
            workflow_ids=None if ids is None else list(ids), workflow_id_prefix=prefix, load_input=False
        )
        return {status.workflow_id: _state(status) for status in workflows}

    def running(self, ids: Sequence[str], executor: str) -> set[str]:
        """Which of the tasks this executor still has to do: not cancelled, and not given to another."""
        workflows = self._client.list_workflows(
            workflow_ids=list(ids), status="PENDING", executor_id=executor, load_input=False, load_output=False
        )
        return {status.workflow_id for status in workflows}

    def cancel(self, ids: Sequence[str]) -> None:
        """Takes tasks out of the queue; those that are being done hear of it: see `Run.check`."""
        self._client.cancel_workflows(list(ids))

    def retry(self, ids: Sequence[str], kind: str) -> None:
        """Puts cancelled and dead-lettered tasks back into the queue."""
        self._client.resume_workflows(list(ids), queue_name=kind)

    def forget(self, ids: Sequence[str]) -> None:
        """Deletes tasks, done or not, with all that is kept of them."""
        self._client.delete_workflows(list(ids))

    def register(self, kind: str, at_once: int, polling: float) -> None:
        """Says how many tasks of a kind a worker takes at a time, and how often it looks, in seconds."""
        self._client.register_queue(kind, worker_concurrency=at_once, polling_interval_sec=polling)

    def beats(self) -> dict[str, int]:
        """The pulse of every worker, which grows while it lives."""
        table = workers_table()
        with self.engine.connect() as connection:
            return {row.executor: row.beats for row in connection.execute(table.select())}

    def close(self) -> None:
        """Gives the connections to the database back."""
        self._client.destroy()
        self.engine.dispose()


@contextmanager
def opened(url: str, new: bool = True) -> Generator[Queue]:
    """A `Queue` for the time of the block. Raises: QueueUnavailable, also where its database goes away meanwhile."""
    queue = Queue(url, new)
    from sqlalchemy import exc

    try:
        yield queue
    except exc.OperationalError as error:
        raise _unavailable(url, error) from error
    finally:
        queue.close()


def workers_table() -> sa.Table:
    """Who works, and a number that grows while they do."""
    return _tables().tables["subpixel_workers"]


def hidden(url: str) -> str:
    """A URL without its password."""
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)


def network_file_system(path: Path, mounts: str) -> str | None:
    """The kind of network file system that a path lies on, by the text of /proc/self/mounts; None on a disk."""
    real = os.path.realpath(path)
    entries = [line.split(" ") for line in mounts.splitlines() if line.count(" ") >= 2]
    above = [(place, kind) for _, place, kind, *_ in entries if f"{real}/".startswith(f"{place.rstrip('/')}/")]
    _, kind = max(above, key=lambda entry: len(entry[0]), default=("", ""))
    return kind if kind.startswith(_NETWORK) else None


def _opened(url: str, new: bool) -> sa.Engine:
    """The engine, with DBOS's tables in the database."""
    os.environ.pop("DBOS__CLOUD", None)  # it would call its makers
    try:
        from dbos import DBOS
        from sqlalchemy import exc, make_url
    except ImportError:
        raise MissingExtra("dbos", "serve") from None
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):  # ValueError: a port that is no number
        raise BadRequest(f"queue {url!r}; expected sqlite:///PATH or postgresql://USER@HOST/NAME") from None
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql") or parsed.database in (None, "", ":memory:"):
        raise BadRequest(f"queue {hidden(url)}; expected sqlite:///PATH or postgresql://USER@HOST/NAME")
    logging.getLogger("dbos").setLevel(SILENT)
    try:
        engine = _sqlite(parsed, new) if backend == "sqlite" else _postgres(parsed)
        if not new:
            engine.connect().close()  # DBOS would make a database that is not there
        DBOS.migrate(url)
    except exc.DBAPIError as error:
        raise _unavailable(url, error) from error
    return engine


def _unavailable(url: str, error: exc.DBAPIError) -> QueueUnavailable:
    return QueueUnavailable(hidden(url), str(error.orig).splitlines()[0])


def _sqlite(url: sa.URL, new: bool) -> sa.Engine:
    from sqlalchemy import create_engine, event

    path = Path(url.database or "")
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < _SQLITE:
        least = ".".join(map(str, _SQLITE))
        raise QueueUnavailable(str(path), f"SQLite is {sqlite3.sqlite_version}; expected {least}, or postgresql://...")
    kind = network_file_system(path, _mounts())
    if kind:
        raise QueueUnavailable(str(path), f"SQLite loses data on a network file system ({kind}); use postgresql://...")
    if not path.parent.is_dir():
        raise QueueUnavailable(str(path), f"there is no folder {path.parent}")
    if not new and not path.exists():
        raise QueueUnavailable(str(path), "there is no such queue; `subpixel upscale --queue-url` makes one")
    if path.exists():
        _check_file(path)
    engine = create_engine(url, pool_size=20, max_overflow=0)
    event.listen(engine, "connect", _configure)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # readers do not wait for writers
    return engine


def _check_file(path: Path) -> None:
    """Raises: QueueUnavailable for a file that holds something else than a queue."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise QueueUnavailable(str(path), str(error)) from error
    if tables and _FIRST_TABLE not in tables:
        raise QueueUnavailable(str(path), "it is a database of something else; name another file")


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text("utf-8", "surrogateescape")
    except OSError:  # not Linux
        return ""


def _configure(connection: Any, _: object) -> None:
    """As DBOS does with the connections it opens itself."""
    connection.isolation_level = "IMMEDIATE"
    for pragma in ("busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _postgres(url: sa.URL) -> sa.Engine:
    import sqlalchemy as sa

    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"), pool_size=20, max_overflow=0, pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": APPLICATION},
    )  # fmt: skip


@cache
def _tables() -> sa.MetaData:
    """Made once: SQLAlchemy compiles, and keeps, each statement anew for each new table."""
    import sqlalchemy as sa

    tables = sa.MetaData()
    sa.Table(
        "subpixel_workers", tables, sa.Column("executor", sa.Text, primary_key=True), sa.Column("beats", sa.BigInteger)
    )
    return tables


def _options(task: Task) -> EnqueueOptions:
    from dbos import WorkflowSerializationFormat

    return {
        "workflow_name": task.kind,
        "queue_name": task.kind,
        "workflow_id": task.id,
        "priority": task.priority,
        "app_version": APPLICATION,
        "serialization_type": WorkflowSerializationFormat.PORTABLE,  # by default pickles, which can run anything
    }


def _state(status: WorkflowStatus) -> State:
    error = None if status.error is None else str(status.error).splitlines()[0]
    state: Any = _STATES.get(status.status, "failed")
    if status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        error = "whoever did it died, again and again"
    return State(state, json.loads(str(status.output)) if state == "done" else None, error)

"""The jobs of the service: one row each, beside the queue's tables and in the same transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from subpixel.jobs.queue import Queue, Task
from subpixel.service.clock import now
from subpixel.service.problems import Refusal, retry

if TYPE_CHECKING:
    import sqlalchemy as sa

KIND = "service"
"""Of our tasks in the queue."""
UNFINISHED = ("waiting", "running")
TRIES = 3
"""How often a job may end its process."""
_RETRY = 5
"""Seconds after which one may ask again."""

JobState = Literal["waiting", "running", "done", "failed", "cancelled", "expired"]


@dataclass(frozen=True)
class Record:
    """A job, as it lies in the database."""

    id: str
    client: str
    request: str
    """JSON of the Request."""
    source_format: str
    source_width: int
    source_height: int
    source_bytes: int
    format: str
    width: int
    height: int
    created: float
    key: str | None = None
    """Idempotency-Key."""
    digest: str = ""
    """Of the upload."""
    state: JobState = "waiting"
    turn: int = 0
    """Its round: each client has one job in each."""
    revision: int = 1
    tries: int = 0
    """How often it has ended its process."""
    share: float = 0.0
    chosen: str | None = None
    note: str | None = None
    error: str | None = None
    """JSON of the Problem."""
    bytes: int | None = None
    etag: str | None = None
    started: float | None = None
    finished: float | None = None


@dataclass(frozen=True)
class Bounds:
    """How many jobs may wait or run, of all clients and of one."""

    queued: int
    client: int


class Records:
    """The table of jobs. Every change is one transaction, and makes `revision` grow."""

    def __init__(self, queue: Queue) -> None:
        self._queue, self._table = queue, _table()
        with queue.exclusive() as connection:
            self._table.metadata.create_all(connection)

    def accept(self, new: Record, bounds: Bounds) -> Record:
        """Counts the queue and the client, inserts and enqueues, all in one; the old job where its key was used.

        Raises: Refusal where there is no room, or the key was used for something else.
        """
        with self._queue.exclusive() as connection:
            old = self._of_key(connection, new)
            if old:
                return old
            turns = self._turns(connection)
            check_room(turns, new.client, bounds)
            record = replace(new, turn=_turn(turns, new.client))
            connection.execute(self._table.insert().values(asdict(record)))
            self._queue.enqueue([Task(record.id, KIND, {}, record.turn)], connection)
        return record

    def check_room(self, client: str, bounds: Bounds) -> None:
        """Early, before anything is read. Raises: Refusal."""
        with self._queue.engine.connect() as connection:
            check_room(self._turns(connection), client, bounds)

    def get(self, id: str) -> Record | None:
        """The job of an id, if there is one."""
        return next(iter(self.all([id])), None)

    def all(self, ids: Sequence[str]) -> list[Record]:
        """The jobs that there are of these."""
        return self._select(self._table.c.id.in_(ids))

    def of_client(self, client: str, most: int = 100) -> list[Record]:
        """The newest first."""
        return self._select(self._table.c.client == client, self._table.c.created.desc(), most)

    def unfinished(self) -> list[Record]:
        """Jobs that wait or are computed."""
        return self._select(self._table.c.state.in_(UNFINISHED))

    def in_state(self, *states: JobState) -> list[Record]:
        """The oldest first."""
        return self._select(self._table.c.state.in_(states), self._table.c.finished)

    def ahead(self, record: Record) -> int:
        """Jobs that will be taken before a waiting one."""
        from sqlalchemy import func, select, tuple_

        table = self._table
        sooner = tuple_(table.c.turn, table.c.created) < (record.turn, record.created)
        query = select(func.count()).where(table.c.state == "waiting", sooner)
        with self._queue.engine.connect() as connection:
            return int(connection.execute(query).scalar() or 0)

    def change(self, id: str, before: Sequence[str], **values: Any) -> bool:
        """Whether the job was in one of these states, and is changed now."""
        table = self._table
        wanted = (table.c.id == id) & table.c.state.in_(before)
        with self._queue.engine.begin() as connection:
            change = table.update().where(wanted).values(revision=table.c.revision + 1, **values)
            return connection.execute(change).rowcount > 0

    def begin(self, id: str) -> Record | None:
        """A try begins: the job, or None where it needs none any more."""
        begun = self.change(id, UNFINISHED, state="running", started=now())
        return self.get(id) if begun else None

    def died(self, id: str) -> int:
        """A job has ended its process; how often, by now."""
        self.change(id, ["running"], tries=self._table.c.tries + 1)
        record = self.get(id)
        return record.tries if record else 0

    def put_back(self, id: str) -> None:
        """What stopped a try was not its fault."""
        self.change(id, ["running"], state="waiting", share=0.0, started=None)

    def cancel(self, id: str) -> None:
        """Ends a job, now here, and within a second where it is computed."""
        if self.change(id, UNFINISHED, state="cancelled", finished=now()):
            self._queue.cancel([id])

    def forget(self, ids: Sequence[str]) -> None:
        """Removes all trace of jobs."""
        if ids:
            self._queue.forget(ids)
            with self._queue.engine.begin() as connection:
                connection.execute(self._table.delete().where(self._table.c.id.in_(ids)))

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        from sqlalchemy import func, select

        query = select(self._table.c.state, func.count()).group_by(self._table.c.state)
        with self._queue.engine.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def moves(self) -> int:
        """A number that grows with every change of any job."""
        from sqlalchemy import func, select

        with self._queue.engine.connect() as connection:
            return int(connection.execute(select(func.sum(self._table.c.revision))).scalar() or 0)

    def _select(self, where: Any, order: Any = None, most: int | None = None) -> list[Record]:
        query = self._table.select().where(where).order_by(order).limit(most)
        with self._queue.engine.connect() as connection:
            return [Record(**row) for row in connection.execute(query).mappings()]

    def _turns(self, connection: sa.Connection) -> list[tuple[str, int]]:
        """Client and turn of every unfinished job."""
        from sqlalchemy import select

        query = select(self._table.c.client, self._table.c.turn).where(self._table.c.state.in_(UNFINISHED))
        return [(client, turn) for client, turn in connection.execute(query)]

    def _of_key(self, connection: sa.Connection, new: Record) -> Record | None:
        if new.key is None:
            return None
        wanted = (self._table.c.client == new.client) & (self._table.c.key == new.key)
        row = connection.execute(self._table.select().where(wanted)).mappings().first()
        if row is None:
            return None
        if (row["digest"], row["request"]) != (new.digest, new.request):
            raise Refusal("key-reused", "this Idempotency-Key was used for another image or request; use a new one")
        return Record(**row)


def check_room(turns: Sequence[tuple[str, int]], client: str, bounds: Bounds) -> None:
    """Raises: Refusal."""
    own = sum(other == client for other, _ in turns)
    if len(turns) >= bounds.queued:
        raise retry("queue-full", f"{len(turns)} jobs are waiting; ask again in {_RETRY} s", _RETRY)
    if own >= bounds.client:
        raise retry("client-full", f"{own} of your jobs are unfinished; ask again when one is done", _RETRY)


def _turn(turns: Sequence[tuple[str, int]], client: str) -> int:
    """The round of a client's next job: after its own, but not before those that are going on."""
    now = min((turn for _, turn in turns), default=1)
    return max([now, *(turn + 1 for other, turn in turns if other == client)])


def _table() -> sa.Table:
    import sqlalchemy as sa

    kinds = {"int": sa.BigInteger, "float": sa.Float(53)}
    columns = [
        sa.Column(
            field.name,
            kinds.get(str(field.type).partition(" ")[0], sa.Text),
            primary_key=field.name == "id",
            nullable="None" in str(field.type),
            index=field.name in ("state", "client"),
        )
        for field in fields(Record)
    ]
    return sa.Table("subpixel_jobs", sa.MetaData(), *columns, sa.UniqueConstraint("client", "key"))

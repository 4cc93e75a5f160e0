"""Batches in a queue: blocks of images that workers on any number of machines do. (extra: serve)

A block may be done more than once, where a worker dies; a result appears once, since it is claimed, looked for, and
then renamed or put. Images that fail are told by their block, which goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from subpixel.errors import BadRequest
from subpixel.images.streams import STREAM
from subpixel.jobs.job import Job
from subpixel.jobs.queue import Json, Queue, State, Task
from subpixel.jobs.request import Request
from subpixel.jobs.stores import is_url

if TYPE_CHECKING:
    import sqlalchemy as sa

KIND = "block"
BLOCK = 100
"""Images in a block: some seconds of work, so that a lost one costs little, and a queue's own cost is spread."""
_AT_ONCE = 100
"""Blocks that one transaction enqueues."""
_LOST = State("failed", error="its submission ended before it was in the queue again; `subpixel batch retry` does it")
"""Of a block that the queue does not know."""


@dataclass(frozen=True)
class Outcome:
    """What became of a batch so far, in images."""

    images: int = 0
    done: int = 0
    skipped: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    """Sources, each with the reason in one line."""
    waiting: int = 0
    """Images of blocks that are not done yet."""
    notes: tuple[tuple[str, int], ...] = ()
    """What results could not keep, each with the number of the images made that it was said of."""

    @property
    def is_over(self) -> bool:
        """Whether nothing of the batch is left to be done."""
        return self.waiting == 0


@dataclass
class _Sum:
    done: int = 0
    skipped: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)


class Batches:
    """The batches of a queue."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self._batches, self._blocks = _tables()
        with queue.exclusive() as connection:
            self._batches.metadata.create_all(connection)

    def submit(self, jobs: Iterable[Job], request: Request, overwrite: bool = False, named: Sequence[str] = ()) -> str:
        """Enqueues jobs block by block; returns the batch's id, by the request, the first image and what was `named`.

        named: what the jobs were asked for by, such as folders and a shard; another part of them is another batch.

        Blocks that wait or are being done already stay as they are; those that have ended are looked through again;
        those of an earlier submission that are no more, because the folder is another now, are forgotten.
        Raises: BadRequest where there are no jobs.
        """
        blocks = (_absolute(block) for block in _chunks(jobs, BLOCK))
        first = next(blocks, None)
        if first is None:
            raise BadRequest("no images for the batch")
        identity = identity_of(request)
        batch, known, listed = _digest(identity, *first[0], *named)[:16], set[str](), set[str]()
        about = {"id": batch, "request": request.model_dump_json(), "identity": identity, "created": time.time()}
        about |= {"versions": json.dumps(versions()), "overwrite": overwrite}
        with self.queue.exclusive() as connection:
            connection.execute(self._batches.delete().where(self._batches.c.id == batch))
            connection.execute(self._batches.insert().values(about))
            ids = self._blocks.select().with_only_columns(self._blocks.c.id).where(self._blocks.c.batch == batch)
            known.update(row[0] for row in connection.execute(ids))
        for some in _chunks(chain([first], blocks), _AT_ONCE):
            of_ids = {f"{batch}/{_digest(json.dumps(block))}": block for block in some}
            self._enqueue(batch, of_ids)
            listed |= of_ids.keys()
        self._forget(sorted(known - listed))
        return batch

    def ids(self) -> list[tuple[str, float]]:
        """All batches and when they were submitted (seconds since 1970), the newest first."""
        with self.queue.engine.connect() as connection:
            rows = connection.execute(self._batches.select().order_by(self._batches.c.created.desc()))
            return [(row.id, row.created) for row in rows]

    def outcome(self, batch: str) -> Outcome:
        """Raises: BadRequest for one that does not exist."""
        total, waiting = _Sum(), 0
        counts, states = self._counts(batch), self.queue.states(prefix=f"{batch}/")
        for block, count in counts.items():
            state = states.get(block, _LOST)
            if state.state in ("waiting", "running"):
                waiting += count
            elif state.result:
                total.done += state.result["done"]
                total.skipped += state.result["skipped"]
                total.failures += [(source, why) for source, why in state.result["failures"]]
                total.notes.update(note for _, note in state.result["notes"])
            else:
                why = state.error or "it was cancelled"
                total.failures += [(source, why) for source, _ in self._images(block)]
        notes = tuple(total.notes.most_common())
        return Outcome(sum(counts.values()), total.done, total.skipped, tuple(total.failures), waiting, notes)

    def retry(self, batch: str) -> int:
        """Enqueues the blocks with failures again; how many they are."""
        counts, states = self._counts(batch), self.queue.states(prefix=f"{batch}/")
        known = {block: states.get(block, _LOST) for block in counts}
        ended = {block: state for block, state in known.items() if state.state not in ("waiting", "running")}
        failed = [block for block, state in ended.items() if not state.result or state.result["failures"]]
        for some in _chunks(failed, _AT_ONCE):
            self._enqueue(batch, {block: self._images(block) for block in some})
        return len(failed)

    def lines(self, batch: str) -> Iterator[Json]:
        """Each image: source, target, status (done: made or there; failed, waiting), the error, and the note."""
        states = self.queue.states(prefix=f"{batch}/")
        for block in self._counts(batch):
            state = states.get(block, _LOST)
            over = state.state not in ("waiting", "running")
            result: Json = state.result or {"failures": [], "notes": []}
            failures, notes = dict(result["failures"]), dict(result["notes"])
            for source, target in self._images(block):
                error = failures.get(source) or (state.error if over and not state.result else None)
                status = "failed" if error else "done" if over else "waiting"
                about = {"source": source, "target": target, "status": status}
                yield about | {"error": error or "", "note": notes.get(source, "")}

    def block(self, block: str) -> tuple[Json, list[list[str]]]:
        """The batch that a block belongs to, and its images. Raises: BadRequest."""
        with self.queue.engine.connect() as connection:
            row = connection.execute(
                self._batches.select().where(self._batches.c.id == block.partition("/")[0])
            ).one_or_none()
        if row is None:
            raise BadRequest(f"block {block}: its batch is gone")
        return dict(row._mapping), self._images(block)  # pyright: ignore[reportPrivateUsage]

    def _enqueue(self, batch: str, blocks: dict[str, list[list[str]]]) -> None:
        states = self.queue.states(list(blocks))
        self.queue.forget([block for block, state in states.items() if state.state not in ("waiting", "running")])
        rows = [{"id": block, "batch": batch, "images": json.dumps(images)} for block, images in blocks.items()]
        with self.queue.exclusive() as connection:
            connection.execute(self._blocks.delete().where(self._blocks.c.id.in_(list(blocks))))
            connection.execute(self._blocks.insert(), [{**row, "count": len(blocks[row["id"]])} for row in rows])
            told = {block: state.result["notes"] for block, state in states.items() if state.result}
            self.queue.enqueue([Task(block, KIND, {"notes": told.get(block, [])}) for block in blocks], connection)

    def _forget(self, blocks: list[str]) -> None:
        for some in _chunks(blocks, _AT_ONCE):
            self.queue.cancel(some)
            self.queue.forget(some)
            with self.queue.exclusive() as connection:
                connection.execute(self._blocks.delete().where(self._blocks.c.id.in_(some)))

    def _counts(self, batch: str) -> dict[str, int]:
        with self.queue.engine.connect() as connection:
            rows = connection.execute(
                self._blocks.select().with_only_columns(self._blocks.c.id, self._blocks.c["count"])
                .where(self._blocks.c.batch == batch)
            )  # fmt: skip
            counts = {row[0]: row[1] for row in rows}
        if not counts:
            raise BadRequest(f"there is no batch {batch!r} in this queue; `subpixel batch status` lists them")
        return counts

    def _images(self, block: str) -> list[list[str]]:
        with self.queue.engine.connect() as connection:
            return json.loads(connection.execute(self._blocks.select().where(self._blocks.c.id == block)).one().images)


@cache
def versions() -> Mapping[str, str]:
    """What results depend on besides the request and the model: looked up once, for that is what was loaded."""
    import pyvips

    libvips = ".".join(str(pyvips.version(part)) for part in range(3))
    return {name: version(name) for name in ("subpixel", "openvino")} | {"libvips": libvips}


def identity_of(request: Request) -> str:
    """A digest of what the pixels of a batch's results depend on."""
    return _digest(request.identity)


def _absolute(block: list[Job]) -> list[list[str]]:
    """Names that hold on every machine that has the same folders."""
    return [[full_name(job.source), full_name(job.target)] for job in block]


def full_name(name: str) -> str:
    """A name that holds in every folder: absolute, or a URL. Raises: BadRequest for a stream, which no other has."""
    if name == STREAM:
        raise BadRequest("standard input and output (-) cannot be put into a queue; name files")
    return name if is_url(name) else os.path.abspath(name)


def _chunks(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def _digest(*texts: str) -> str:
    return hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _tables() -> tuple[sa.Table, sa.Table]:
    import sqlalchemy as sa

    metadata = sa.MetaData()
    text = sa.Text
    batches = sa.Table(
        "subpixel_batches", metadata, sa.Column("id", text, primary_key=True), sa.Column("created", sa.Float),
        sa.Column("request", text), sa.Column("identity", text), sa.Column("versions", text),
        sa.Column("overwrite", sa.Boolean),
    )  # fmt: skip
    blocks = sa.Table(
        "subpixel_blocks", metadata, sa.Column("id", text, primary_key=True), sa.Column("batch", text, index=True),
        sa.Column("count", sa.Integer), sa.Column("images", text),
    )  # fmt: skip
    return batches, blocks

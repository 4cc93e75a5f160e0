"""Who does the blocks of `batches`: in a process of its own, so that an image that ends it costs that image alone.

A block is done as any batch is, several images at once. Where the process dies, those that it had in hand are done
again one by one, so that it shows which of them it was. (extra: serve)
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from subpixel import atomic
from subpixel.errors import BadRequest, ProcessDied
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs.batch import Upscale, upscale_batch
from subpixel.jobs.batches import KIND, Batches, identity_of, versions
from subpixel.jobs.isolated import Isolated
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Finished, Passed
from subpixel.jobs.queue import Json, Queue
from subpixel.jobs.request import Request
from subpixel.jobs.worker import Run, Worker

_TRIES = 3
"""Of an image that ends the process."""


@dataclass(frozen=True)
class _Order:
    """What the process is to do."""

    request: str
    overwrite: bool
    images: Sequence[tuple[str, str]]


class _Event(NamedTuple):
    """What it tells of some images: that they were begun, or what became of them."""

    sources: Sequence[str]
    what: str
    why: str = ""
    """Of what failed, why; of what was done, what its result could not keep."""


@dataclass
class _BlockState:
    """What is known of a block's images."""

    left: dict[str, str]
    """Sources and targets."""
    told: dict[str, str] = field(default_factory=dict)
    """Notes on results that were made when the block was done before."""
    in_hand: set[str] = field(default_factory=set)
    deaths: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def note(self, event: _Event | None) -> None:
        """None: a part of an image was computed."""
        if event is None:
            return
        if event.what == "begun":
            self.in_hand.update(event.sources)
            return
        for source in event.sources:
            self.in_hand.discard(source)
            if self.left.pop(source, None) is None:
                continue
            if event.what == "failed":
                self.failures.append((source, event.why))
                continue
            self.counts[event.what] += 1
            if why := event.why or (self.told.get(source) if event.what == "skipped" else None):
                self.notes.append((source, why))

    def next(self) -> list[tuple[str, str]]:
        """All that no process died of; then those that one had in hand, each by itself."""
        some = [(source, target) for source, target in self.left.items() if not self.deaths[source]]
        return some or list(self.left.items())[:1]

    def died(self, error: ProcessDied) -> None:
        self.deaths.update(self.in_hand)
        for source in [source for source in self.in_hand if self.deaths[source] >= _TRIES]:
            why = f"it ended the process three times, at last by {error.ending}; there may be too little memory"
            self.note(_Event([source], "failed", f"{source}: {why}"))
        self.in_hand.clear()


class Blocks:
    """Does blocks: a function of a `Worker` that takes one at a time. upscale: what does one image; picklable."""

    def __init__(self, queue: Queue, upscale: Upscale = upscale_file) -> None:
        self._batches, self._isolated = Batches(queue), Isolated(_BlockTask(upscale))

    def __call__(self, run: Run) -> Json:
        about, images = self._batches.block(run.id)
        _check_versions(json.loads(about["versions"]))
        request = Request.parse(about["request"])
        if identity_of(request) != about["identity"]:
            why = "is not the one that the batch was made for, or is not there"
            raise BadRequest(f"the model {request.model} of this worker {why}")
        state, started = _BlockState(dict(images), dict(run.payload.get("notes", []))), time.monotonic()
        try:
            while state.left:
                order = _Order(about["request"], about["overwrite"], state.next())
                try:
                    self._isolated(order, state.note, run.check)
                except ProcessDied as error:
                    if not state.in_hand:  # it died of no image
                        raise
                    state.died(error)
        finally:
            for folder in {os.path.dirname(state.left[source]) for source in state.in_hand}:
                atomic.sweep(folder, again=True)  # a process that was stopped in an image could not
        seconds = round(time.monotonic() - started, 3)
        told = {"failures": state.failures, "notes": state.notes, "seconds": seconds}
        return {"done": state.counts["done"], "skipped": state.counts["skipped"]} | told

    def close(self) -> None:
        """Ends the process that computes."""
        self._isolated.close()


class _BlockTask:
    """What the process does: some images after the others, with the upscaler of the last where the request is that."""

    def __init__(self, upscale: Upscale) -> None:
        self._upscale, self._request = upscale, ""
        self._upscaler: Upscaler | None = None

    def __call__(self, order: _Order, emit: Callable[[_Event | None], None]) -> None:
        request, upscaler = Request.parse(order.request), self._opened(order.request)
        batch = upscale_batch(
            _begun(order.images, emit), upscaler, request.encoding, request.identity, self._upscale,
            overwrite=order.overwrite,
        )  # fmt: skip
        with closing(batch) as events:
            for event in events:
                emit(_event_of(event))

    def _opened(self, request: str) -> Upscaler:
        if self._upscaler is None or request != self._request:
            if self._upscaler:
                self._upscaler.close()
            self._upscaler, self._request = Request.parse(request).upscaler(), request
        return self._upscaler


def _begun(images: Sequence[tuple[str, str]], emit: Callable[[_Event], None]) -> Iterator[Job]:
    """The jobs; each is told of when it is taken."""
    for source, target in images:
        emit(_Event([source], "begun"))
        yield Job(source, target)


def _event_of(event: Any) -> _Event | None:
    if isinstance(event, Passed):
        return _Event([job.source for job in event.jobs], "skipped")
    if isinstance(event, Finished):
        source = [event.job.source]
        return _Event(source, "failed", event.failure) if event.error else _Event(source, "done", event.note or "")
    return None


def work(
    url: str, upscale: Upscale = upscale_file, lease: float = 10.0, announce: Callable[[], object] = lambda: None
) -> None:
    """Does blocks of a queue until a signal ends it; `announce` is called once they are waited for.

    Raises: QueueUnavailable, BadRequest, MissingExtra.
    """
    with (
        closing(Queue(url)) as queue,
        closing(Blocks(queue, upscale)) as blocks,
        Worker(queue, {KIND: blocks}, at_once=1, watching=2.0, lease=lease),
    ):
        announce()
        threading.Event().wait()


def _check_versions(wanted: dict[str, str]) -> None:
    here = versions()
    for name, needed in wanted.items():
        if here.get(name) != needed:
            raise BadRequest(f"the batch needs {name} {needed}, and this worker has {here.get(name, 'none')}")

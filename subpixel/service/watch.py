"""Who is told when a job changes: one look into the database serves all that wait."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator

from subpixel.service.problems import retry
from subpixel.service.records import UNFINISHED, Record, Records

log = logging.getLogger("subpixel.service")
_LOOK = 0.25
"""Seconds between two looks."""
_QUIET = 10.0
"""Seconds after which a line says that nothing has happened, or a job that waits is told again: others go before it."""
_MOST = 500
"""Clients that wait at a time."""


class Watch:
    """Looks at the jobs that somebody waits for, as long as somebody does."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._waiting = dict[asyncio.Queue[Record], Record]()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK)
            if not self._waiting:
                continue
            try:
                jobs = await asyncio.to_thread(
                    self._records.all, sorted({record.id for record in self._waiting.values()})
                )
            except Exception:  # the database is away: that may pass
                log.exception("cannot look at the jobs")
                continue
            records = {record.id: record for record in jobs}
            for queue, record in list(self._waiting.items()):
                if record.id in records and queue.empty():
                    queue.put_nowait(records[record.id])

    def changes(self, record: Record, after: int) -> AsyncGenerator[Record | None]:
        """The job after each change beyond a revision, to its end; now and then also as it waits, or None.

        Raises: Refusal where too many wait, or half as many of one client, at once: later the answer has begun.
        """
        own = sum(waiting.client == record.client for waiting in self._waiting.values())
        if len(self._waiting) >= _MOST or own >= _MOST // 2:
            raise retry("busy", "too many wait for events; ask for the job itself", 10)
        return self._changes(record, after)

    async def _changes(self, record: Record, after: int) -> AsyncGenerator[Record | None]:
        queue = asyncio.Queue[Record]()
        self._waiting[queue] = record
        loop = asyncio.get_running_loop()
        quiet = loop.time()
        try:
            while not self.stopping.is_set():
                if record.revision > after:
                    after, quiet = record.revision, loop.time()
                    yield record
                if record.state not in UNFINISHED:
                    return
                if loop.time() - quiet > _QUIET:
                    quiet = loop.time()
                    yield record if record.state == "waiting" else None
                try:
                    async with asyncio.timeout(4 * _LOOK):
                        record = await queue.get()
                except TimeoutError:
                    continue
        finally:
            del self._waiting[queue]

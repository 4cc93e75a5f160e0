"""HTTP whose patience ends: a connection that does not come to a request, or to its end, is closed."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS = 10.0
"""Seconds that a request's headers may take, and a connection may be without one."""


class TimedProtocol(H11Protocol):
    """uvicorn's protocol, with a bound on slow headers: one byte a second would hold a connection for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._look()

    def _look(self) -> None:
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._idle_since = self.loop.time()
        elif self.loop.time() - self._idle_since > HEADERS:
            self.transport.abort()
            return
        self.loop.call_later(HEADERS / 5, self._look)

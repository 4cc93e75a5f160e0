"""The HTTP server: uvicorn, with the bounds of a service that strangers may ask."""

from __future__ import annotations

from types import FrameType

import uvicorn

from subpixel.service.app import create_app
from subpixel.service.header_timeout import TimedProtocol
from subpixel.service.service import Service

_HEADERS = 16 * 2**10
"""Bytes of a request's headers."""
_CONNECTIONS = 1000


class Server(uvicorn.Server):
    """It tells the service of the signal that ends it, before it refuses new connections."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        config = uvicorn.Config(
            create_app(service),
            settings.host,
            settings.port,
            http=TimedProtocol,
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=_HEADERS,
            timeout_graceful_shutdown=int(settings.patience),
        )
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.stopping = True
        self._service.watch.stopping.set()
        super().handle_exit(sig, frame)

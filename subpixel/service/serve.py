"""Running it: the server, with its worker or without, and the worker of another machine."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from subpixel.errors import BadRequest, MissingExtra
from subpixel.jobs.queue import Queue
from subpixel.jobs.worker import Worker
from subpixel.service.records import KIND, Records
from subpixel.service.settings import Settings
from subpixel.service.work import Enlarging

_AHEAD = 4
"""Jobs that a worker takes beyond those it computes: the queue is looked into ten times a second only."""
_TURN = 0.001
"""Seconds for which a thread may hold the interpreter while another one, that of the answers, wants it."""


def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serves until a signal ends it: then it refuses, finishes what is begun, and puts back what takes too long.

    announce: is told the URL, once the port is ours.

    Raises: BadRequest, QueueUnavailable, MissingExtra; OSError where the port is taken.
    """
    try:
        from subpixel.service.server import Server
        from subpixel.service.service import Service
    except ImportError as error:
        raise MissingExtra(error.name or "fastapi", "serve") from None

    settings.make_folders()
    queue = Queue(settings.url)
    service = Service(settings, queue)
    server = Server(service)
    try:
        with listening(settings.host, settings.port) as listener, working(settings, queue):
            host, port, *_ = listener.getsockname()
            announce(f"http://{f'[{host}]' if ':' in host else host}:{port}{settings.base_path}/")
            answer_soon()
            server.run(sockets=[listener])
    except (KeyboardInterrupt, SystemExit):  # the signal, which it passes on when it has ended in order
        if not server.should_exit:
            raise
    finally:
        service.close()
        queue.close()


def answer_soon() -> None:
    """No answer waits for long turns of other threads, or while what was imported is searched for garbage."""
    sys.setswitchinterval(_TURN)
    gc.collect()
    gc.freeze()


def listening(host: str, port: int) -> socket.socket:
    """Raises: BadRequest where that is not possible."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=2048)
    except OSError as error:
        raise BadRequest(f"cannot serve port {port} of {host}: {(error.strerror or str(error)).lower()}") from None


@contextmanager
def working(settings: Settings, queue: Queue) -> Generator[None]:
    """Within the block, this process does the jobs in the queue."""
    if not settings.workers:
        yield
        return
    enlarging = Enlarging(Records(queue), settings.data, settings.workers, settings.max_seconds)
    at_once = settings.workers + _AHEAD
    try:
        with Worker(queue, {KIND: enlarging}, at_once, lease=settings.lease, patience=settings.patience):
            yield
    finally:
        enlarging.close()


def work(settings: Settings, announce: Callable[[], object] = lambda: None) -> None:
    """Does jobs of a queue that others fill, until a signal ends it; `announce` is called once they are waited for.

    Raises: as `serve`.
    """
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    settings.make_folders()
    queue = Queue(settings.url)
    try:
        with working(settings, queue):
            announce()
            ended.wait()
    finally:
        queue.close()


def log_to_stderr() -> None:
    """A line a request, without what it holds."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("subpixel.service").setLevel(logging.INFO)


def default_data() -> Path:
    """Where a user's own service keeps its files."""
    import os

    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "subpixel"

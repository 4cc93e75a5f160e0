"""Stages that work at the same time: decoding, the network, encoding."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


class _End:
    """Follows the last item."""


def prefetch(items: Iterable[T], waiting: int = 2) -> Generator[T]:
    """The items, made in a thread of their own while the consumer works; so many wait. Close it to end the thread."""
    stop, results = threading.Event(), queue.Queue[T | BaseException | _End](waiting)
    thread = threading.Thread(target=_make, args=(items, results, stop), daemon=True)
    thread.start()
    try:
        while not isinstance(item := results.get(), _End):
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while thread.is_alive():
            with suppress(queue.Empty):
                results.get_nowait()
            thread.join(0.01)


def _make(items: Iterable[T], results: queue.Queue[T | BaseException | _End], stop: threading.Event) -> None:
    try:
        for item in items:
            if stop.is_set():
                break
            results.put(item)
    except BaseException as error:
        results.put(error)
    finally:
        close = getattr(items, "close", None)
        if close:
            close()
        results.put(_End())

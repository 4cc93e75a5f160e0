"""Ctrl-C and SIGTERM while a network is trained: the step is finished and saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn


class Signals:
    """Whether the run was told to end; a second signal, or one while `at_once` holds, ends it where it is."""

    def __init__(self) -> None:
        self.received = 0
        self.at_once = False

    def leave(self) -> NoReturn:
        """Raises: KeyboardInterrupt for Ctrl-C; SystemExit with the shell's status of SIGTERM."""
        if self.received == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        raise KeyboardInterrupt

    def _receive(self, number: int, _: Any) -> None:
        again, self.received = self.received, number
        if again or self.at_once:
            self.leave()


@contextmanager
def handled() -> Generator[Signals]:
    """The signals of this process, in its main thread; elsewhere none is ever received."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {number: signal.signal(number, signals._receive) for number in (signal.SIGINT, signal.SIGTERM)}  # pyright: ignore[reportPrivateUsage]
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Ctrl-C, SIGTERM and SIGHUP while a network is trained: the step is finished and saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Signals:
    """Whether the run was told to end; a second signal, or one while `at_once` holds, ends it where it is."""

    def __init__(self) -> None:
        self.received = 0
        self.at_once = False

    def leave(self) -> NoReturn:
        """Raises: KeyboardInterrupt for Ctrl-C, SystemExit with the shell's status for another signal."""
        if self.received == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.received)

    def _receive(self, number: int, _: Any) -> None:
        again, self.received = self.received, number
        if again or self.at_once:
            self.leave()


@contextmanager
def handled() -> Generator[Signals]:
    """The signals of this process, in its main thread; elsewhere none is ever received, and none that is ignored."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    ours = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}
    for number in ours:
        signal.signal(number, signals._receive)  # pyright: ignore[reportPrivateUsage]
    try:
        yield signals
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)

"""What ends the program early: the first signal in order, the second, or some time, at once.

Neither leaves a half-written file.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from subpixel import atomic

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_PATIENCE = 20.0
"""Seconds for an end in order: a thread that waits for a pipe, or for a disk that is gone, would never come to it."""


@contextmanager
def interruptible() -> Generator[None]:
    """Ctrl-C, a request to terminate and a closed terminal end the block as Ctrl-C does; a second one does not wait.

    Nor does the first one for ever: the process ends when the block takes too long. A signal that is ignored, as
    `nohup` and a shell's background jobs have it, stays so.
    """
    if threading.current_thread() is not threading.main_thread():  # Python hears signals there alone
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    received, waiting = list[int](), list[threading.Timer]()

    def in_order(number: int, frame: FrameType | None) -> NoReturn:
        received.append(number)
        for each in ours:
            signal.signal(each, _at_once)
        waiting.append(threading.Timer(_PATIENCE, _at_once, (number, None)))
        waiting[0].daemon = True
        waiting[0].start()
        raise _end(number)

    for number in ours:
        signal.signal(number, in_order)
    try:
        yield
    except Exception as error:
        if received:  # a library's code was running, and made an error of its own of ours, as pydantic's does
            raise _end(received[0]) from error
        raise
    finally:
        for number in ours:
            signal.signal(number, before[number])
        for timer in waiting:
            timer.cancel()


def _end(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _at_once(number: int, frame: FrameType | None) -> NoReturn:
    atomic.discard_all()
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")  # the cursor, which a bar hides
        sys.stderr.flush()
    os._exit(128 + number)

"""The priority of threads: SVT-AV1 makes its caller and its own threads real-time where it may, as root may."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextmanager
def own_priority() -> Generator[None]:
    """What is opened in here leaves the caller's priority as it was, and its threads get the same.

    Three real-time threads that wait for one another on two cores stop the machine.
    """
    if not _THREADS.is_dir():
        yield
        return
    policy, parameters, before = os.sched_getscheduler(0), os.sched_getparam(0), set(os.listdir(_THREADS))
    try:
        yield
    finally:
        for thread in {str(threading.get_native_id())} | set(os.listdir(_THREADS)) - before:
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setscheduler(int(thread), policy, parameters)

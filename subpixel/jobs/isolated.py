"""Work in processes of its own: what ends such a process costs one call, and its memory goes back."""

from __future__ import annotations

import gc
import multiprocessing
import os
import queue
import select
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from subpixel.errors import ProcessDied

_LOOK = 0.05
"""Seconds between two looks at whether the result is still wanted."""
_GRACE = 0.25
"""Seconds that a process has to end a call that is not wanted any more; then it is killed."""

Emit = Callable[[Any], None]
Check = Callable[[], None]


class _Unwanted(BaseException):
    """Raised in the process where it tells of its progress and nobody wants the result."""


class Isolated:
    """A function that is called in another process, any number of threads at once, so many at a time.

    function: of a module, takes the argument and what it tells its progress to; both, and its result, must be
    picklable. processes: at most. idle: seconds without work after which a process ends. nice: by how much its wishes
    for a core count less than its caller's, as Unix has it.
    """

    def __init__(
        self, function: Callable[[Any, Emit], Any], processes: int = 1, idle: float = 60.0, nice: int = 0
    ) -> None:
        self._how = function, idle, nice
        self._slots = threading.Semaphore(processes)
        self._free = list[_Process]()
        self._all = set[_Process]()
        self._lock = threading.Lock()

    def __call__(self, argument: Any, emit: Emit = lambda _: None, check: Check = lambda: None) -> Any:
        """What the function returns. check: raises where the result is not wanted any more, which ends the call.

        Raises: what the function raises; ProcessDied; what `check` and `emit` raise.
        """
        while not self._slots.acquire(timeout=_LOOK):
            check()
        try:
            return self._called(argument, emit, check)
        finally:
            self._slots.release()

    def try_call(self, argument: Any, check: Check) -> tuple[Any] | None:
        """The same, alone in a tuple, without waiting for a free process: None where there is none."""
        if not self._slots.acquire(blocking=False):
            return None
        try:
            return (self._called(argument, lambda _: None, check),)
        finally:
            self._slots.release()

    @property
    def pids(self) -> list[int]:
        """Of the processes that live."""
        with self._lock:
            return [process.pid for process in self._all if process.is_alive()]

    def close(self) -> None:
        """Ends all processes, also those that are at work."""
        with self._lock:
            for process in self._all:
                process.end()
            self._all.clear()
            self._free.clear()

    def _called(self, argument: Any, emit: Emit, check: Check) -> Any:
        process = self._begun(argument, check)
        try:
            kind, value = process.outcome(emit, check)
        except BaseException:
            if not process.dropped():
                self._forget(process)
                raise
            self._put(process)
            raise
        self._put(process)
        if kind == "raised":
            raise value
        return value

    def _begun(self, argument: Any, check: Check) -> _Process:
        """A process that has begun with the work."""
        while True:
            process, begins = self._take(), False
            try:
                begins = process.begin(argument, check)
            finally:
                if not begins:  # it was about to end, being idle, or starts for a result that is not wanted any more
                    self._forget(process)
            if begins:
                return process

    def _take(self) -> _Process:
        with self._lock:
            if self._free:
                return self._free.pop()
            process = _Process(*self._how)
            self._all.add(process)
            return process

    def _put(self, process: _Process) -> None:
        with self._lock:
            if process in self._all:
                self._free.append(process)

    def _forget(self, process: _Process) -> None:
        process.end()
        with self._lock:
            self._all.discard(process)


class _Process:
    """One process, as its caller sees it."""

    def __init__(self, function: Callable[[Any, Emit], Any], idle: float, nice: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._ready = _ready(self._line)
        self._process = context.Process(target=_serve, args=(theirs, function, idle, nice), daemon=True)
        with deaf():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def is_alive(self) -> bool:
        return self._process.is_alive()

    def begin(self, argument: Any, check: Check) -> bool:
        """Whether it has begun with the work, once it has started; False where it had ended before."""
        try:
            self._line.send(argument)
            while not self._ready(_LOOK):
                check()
            return self._line.recv() == ("begun", None)
        except (OSError, EOFError):
            return False

    def outcome(self, emit: Emit, check: Check) -> tuple[str, Any]:
        try:
            while True:
                check()
                if self._ready(_LOOK):
                    kind, value = self._line.recv()
                    if kind != "emitted":
                        return kind, value
                    emit(value)
        except (OSError, EOFError):
            self._process.join(1)
            raise ProcessDied(_ending(self._process.exitcode)) from None

    def dropped(self) -> bool:
        """Asks it to end the call; whether it did, in time."""
        deadline = time.monotonic() + _GRACE
        with suppress(OSError, EOFError):
            self._line.send(_Unwanted)
            while self._ready(max(0.0, deadline - time.monotonic())):
                if self._line.recv()[0] != "emitted":
                    return True
        return False

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()


@contextmanager
def deaf() -> Generator[None]:
    """A process that is started meanwhile does not hear SIGINT, not even before its first line: its caller decides."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # its start, which a first process brings along, would let the signal in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ready(line: Connection) -> Callable[[float], bool]:
    """`line.poll`, which makes a selector anew for each message: a third of what one costs."""
    if not hasattr(select, "poll"):  # Windows
        return line.poll
    poll = select.poll()
    poll.register(line, select.POLLIN)
    return lambda seconds: bool(poll.poll(seconds * 1000))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"status {code}"


def _serve(line: Connection, function: Callable[[Any, Emit], Any], idle: float, nice: int) -> None:
    """What the process does: one call after the other, until there is none for a while, or its caller dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides
    _lower_priority(nice)
    calls, unwanted, sending = queue.SimpleQueue[Any](), threading.Event(), threading.Lock()
    threading.Thread(target=_listen, args=(line, calls, unwanted), daemon=True).start()

    def emit(value: Any) -> None:
        if unwanted.is_set():
            raise _Unwanted
        with sending:  # any thread of the function may
            line.send(("emitted", value))

    with suppress(queue.Empty, BrokenPipeError):  # nothing to do for a while; the caller is dead
        while True:
            argument = calls.get(timeout=idle)
            unwanted.clear()
            line.send(("begun", None))
            how, what = _done(function, argument, emit)
            line.send((how, what))
            if how == "raised":
                del what
                gc.collect()  # what the error still holds, such as a file on a full disk


def _done(function: Callable[[Any, Emit], Any], argument: Any, emit: Emit) -> tuple[str, Any]:
    try:
        return "returned", function(argument, emit)
    except _Unwanted:
        return "unwanted", None
    except Exception as error:
        return "raised", error


def _listen(line: Connection, calls: queue.SimpleQueue[Any], unwanted: threading.Event) -> None:
    with suppress(OSError, EOFError):
        while True:
            message = line.recv()
            if message is _Unwanted:
                unwanted.set()
            else:
                calls.put(message)
    os._exit(0)  # the caller is dead


def _lower_priority(nice: int) -> None:
    """Its caller has the core first, and where memory runs out (Linux) this process is ended rather than that."""
    if hasattr(os, "nice"):
        os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")

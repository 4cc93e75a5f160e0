"""The k-th call of a function of the operating system fails, in whatever thread; or a disk is full."""

from __future__ import annotations

import builtins
import errno
import io
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CALLS = ("open", "fsync", "replace", "unlink", "mkdir", "rmdir", "scandir", "stat", "setxattr")
"""`open` is Python's own and that of `os` together."""


class Fault:
    """Counts the calls; `hit` says whether one was made to fail."""

    def __init__(self, kth: int) -> None:
        self._left, self._lock, self.hit = kth, threading.Lock(), False

    def wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def failing(*args: Any, **options: Any) -> Any:
            with self._lock:
                self._left -= 1
                now = self._left == 0
                self.hit = self.hit or now
            if now:
                raise OSError(errno.EIO, "injected fault", str(args[0]) if args else None)
            return call(*args, **options)

        return failing


@contextmanager
def injected(name: str, kth: int) -> Iterator[Fault]:
    """While the block runs, the kth call of that name fails with EIO."""
    fault = Fault(kth)
    with pytest.MonkeyPatch.context() as patch:
        for module in (builtins, io, os) if name == "open" else (os,):
            patch.setattr(module, name, fault.wrap(getattr(module, name)))
        yield fault


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes; what writes more, in Python or in C, fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

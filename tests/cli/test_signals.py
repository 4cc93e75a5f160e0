"""A signal is an end in order, whatever code it meets."""

from __future__ import annotations

import os
import signal

import pytest

from subpixel.cli.signals import interruptible

END = {"SIGINT": (KeyboardInterrupt, ()), "SIGTERM": (SystemExit, (143,)), "SIGHUP": (SystemExit, (129,))}


@pytest.mark.parametrize("name", END)
def test_a_library_that_makes_an_error_of_the_signal(name: str) -> None:
    """As pydantic does, which builds its schemas while modules are imported."""
    kind, arguments = END[name]
    before = signal.getsignal(getattr(signal, name))
    with pytest.raises(kind) as ended, interruptible():
        _library(getattr(signal, name))
    assert ended.value.args == arguments
    assert isinstance(ended.value.__cause__, ValueError)
    assert signal.getsignal(getattr(signal, name)) == before


def _library(number: int) -> None:
    try:
        os.kill(os.getpid(), number)
    except BaseException as error:
        raise ValueError("the schema cannot be built") from error


def test_an_error_without_a_signal_stays_one() -> None:
    with pytest.raises(ValueError, match="its own"), interruptible():
        raise ValueError("its own")

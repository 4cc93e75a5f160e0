"""A signal is an end in order, whatever code it meets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

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


PATIENT = "import sys; from subpixel.cli import main, signals; signals._PATIENCE = 0.5; main(sys.argv[1:])"


def test_a_pipe_into_which_nothing_is_written_does_not_outlast_a_signal(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.png")
    arguments = ["upscale", tmp_path / "in.png", "-o", tmp_path / "out.png", "-m", "bicubic"]
    with subprocess.Popen([sys.executable, "-c", PATIENT, *arguments], stderr=subprocess.DEVNULL) as process:
        try:
            end = writing_end(tmp_path / "in.png")
            process.terminate()
            assert process.wait(30) == 143
            os.close(end)
        finally:
            process.kill()
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def writing_end(pipe: Path) -> int:
    """Of a pipe that somebody reads from; it is there as soon as somebody does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    pytest.fail("nobody reads from the pipe")

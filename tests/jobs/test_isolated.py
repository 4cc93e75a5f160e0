"""Work in other processes: progress, errors, crashes, cancelling, idleness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from subpixel.errors import BadRequest, ProcessDied
from subpixel.jobs.isolated import Isolated


def work(argument: str, emit: Any) -> Any:
    """What the tests below have done elsewhere."""
    match argument:
        case "pid":
            return os.getpid()
        case "refuse":
            raise BadRequest("no such size")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "bands":
            for band in range(1000):
                emit(band)
                time.sleep(0.01)
        case "few":
            time.sleep(0.6)
        case "deaf":
            time.sleep(60)
        case _:
            emit(len(argument))
    return argument.upper()


class Unwanted(Exception):
    """What the caller raises."""


def _later(seconds: float) -> Any:
    at = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > at:
            raise Unwanted

    return check


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no nice")
def test_its_caller_has_the_core_first() -> None:
    call = Isolated(work, nice=5)
    try:
        own, its = (os.getpriority(os.PRIO_PROCESS, pid) for pid in (os.getpid(), call("pid")))
    finally:
        call.close()
    assert its == min(own + 5, 19)


def test_results_progress_and_errors_come_back_and_a_death_costs_one_call() -> None:
    call, told = Isolated(work), list[int]()
    try:
        assert call("abc", told.append) == "ABC"
        assert told == [3]
        first = call("pid")
        assert first != os.getpid()
        with pytest.raises(BadRequest, match="no such size"):
            call("refuse")
        assert call("pid") == first
        with pytest.raises(ProcessDied, match="SIGKILL"):
            call("die")
        assert call("pid") not in (first, os.getpid())
    finally:
        call.close()
    assert call.pids == []


def test_an_unwanted_call_ends_at_the_next_band_and_a_deaf_one_with_its_process() -> None:
    call = Isolated(work)
    try:
        pid, since = call("pid"), time.monotonic()
        with pytest.raises(Unwanted):
            call("bands", check=_later(0.2))
        assert call("pid") == pid
        assert time.monotonic() - since < 1
        since = time.monotonic()
        with pytest.raises(Unwanted):
            call("deaf", check=_later(0.2))
        assert time.monotonic() - since < 1
        assert call("pid") != pid
    finally:
        call.close()


class Slow:
    """What takes long until it is understood, as a process does that still imports."""

    def __reduce__(self) -> Any:
        return time.sleep, (20,)


def test_a_call_is_unwanted_while_its_process_still_starts() -> None:
    call, since = Isolated(work), time.monotonic()
    try:
        with pytest.raises(Unwanted):
            call(Slow(), check=_later(0.2))
        assert time.monotonic() - since < 5
        assert call.pids == []
        assert call("abc") == "ABC"
    finally:
        call.close()


def test_so_many_at_once_and_no_more() -> None:
    call = Isolated(work, processes=1)
    try:
        call("pid")
        busy = threading.Thread(target=call, args=("few",))
        busy.start()
        time.sleep(0.2)
        assert call.try_call("pid", lambda: None) is None
        with pytest.raises(Unwanted):
            call("pid", check=_later(0.1))
        busy.join()
        assert call.try_call("pid", lambda: None) == (call.pids[0],)
    finally:
        call.close()


def test_an_idle_process_ends_and_the_next_call_has_a_new_one() -> None:
    call = Isolated(work, idle=0.2)
    try:
        first, deadline = call("pid"), time.monotonic() + 10
        while call.pids:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert call("pid") != first
    finally:
        call.close()


@pytest.mark.skipif(not Path("/proc/self/oom_score_adj").exists(), reason="needs Linux")
def test_processes_end_with_their_caller() -> None:

    code = (
        "import test_isolated, os, time; c = test_isolated.Isolated(test_isolated.work); print(c('pid'), flush=True);"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"}
    command = [sys.executable, "-c", f"{code} time.sleep(60)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as caller:
        assert caller.stdout
        pid = int(caller.stdout.readline())
        assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"
        caller.kill()
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


_STARTS = """
import os, signal
from subpixel.jobs.isolated import _Process

if __name__ == "__main__":
    for _ in range(2):
        process = _Process(divmod, 9.0, 0)
        os.kill(process.pid, signal.SIGINT)
        assert process.begin("anything", lambda: None)
        process.end()
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no masks of signals")
def test_a_process_is_deaf_to_ctrl_c_from_its_first_moment(tmp_path: Path) -> None:
    script = tmp_path / "starts.py"
    script.write_text(_STARTS)
    ended = subprocess.run([sys.executable, "-P", script], capture_output=True, text=True, timeout=120)
    lines = ended.stderr.splitlines()
    assert lines[-1] == "KeyboardInterrupt"  # its own: it is not deaf itself
    assert ended.stderr.count("Traceback") == 1

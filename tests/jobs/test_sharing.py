"""Several processes on one folder: they share the work, and whoever dies leaves it to the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from subpixel import atomic
from subpixel.images import Image, read, write

pytestmark = pytest.mark.skipif(atomic.fcntl is None, reason="claims are file locks, which this system lacks")

SHARES = """
import time
from subpixel.cli import main
from subpixel.jobs.batch import _Enlarging

enlarged = _Enlarging._enlarged

def slowly(self, job, emit):
    with open(LOG, "a") as log:
        log.write(job.source + "\\n")
    time.sleep(SECONDS)
    return enlarged(self, job, emit)

_Enlarging._enlarged = slowly
main(["upscale", IN, "-o", OUT, "-m", "bicubic", "-q"])
"""
"""Each image takes a while; which are begun is logged."""


def shares(photos: Path, out: Path, log: Path, seconds: float) -> subprocess.Popen[bytes]:
    given = f"LOG, SECONDS, IN, OUT = {str(log)!r}, {seconds}, {str(photos)!r}, {str(out)!r}\n"
    return subprocess.Popen([sys.executable, "-c", given + SHARES])


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for k in range(12):
        write(folder / f"{k:02}.png", Image(np.full((4, 4, 3), k / 12, np.float32)))
    return folder


def begun(log: Path) -> list[str]:
    return sorted(Path(line).name for line in log.read_text().split()) if log.exists() else []


def check(photos: Path, out: Path) -> None:
    """Every result is there and decodes, and nothing else."""
    assert sorted(os.listdir(out)) == sorted(os.listdir(photos))
    assert all(read(path).height == 8 for path in out.iterdir())


def test_two_processes_share_a_folder_and_make_nothing_twice(photos: Path, tmp_path: Path) -> None:
    out, logs = tmp_path / "out", [tmp_path / "1.log", tmp_path / "2.log"]
    both = [shares(photos, out, log, 0.15) for log in logs]
    assert [process.wait(60) for process in both] == [0, 0]
    first, second = map(begun, logs)
    assert sorted(first + second) == sorted(os.listdir(photos))
    assert first
    assert second
    check(photos, out)


def test_what_a_killed_process_had_begun_is_done_by_the_other(photos: Path, tmp_path: Path) -> None:
    out, logs = tmp_path / "out", [tmp_path / "1.log", tmp_path / "2.log"]
    killed = shares(photos, out, logs[0], 60)
    while len(begun(logs[0])) < 2:  # both of its threads hold one
        time.sleep(0.02)
    other = shares(photos, out, logs[1], 0.01)
    while len(begun(logs[1])) < 10:
        time.sleep(0.02)
    time.sleep(0.3)
    assert other.poll() is None  # it waits for the two that are being made
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert other.wait(60) == 0
    assert begun(logs[1]) == sorted(os.listdir(photos))
    check(photos, out)


def test_one_of_all_who_ask_is_told_that_it_is_theirs(tmp_path: Path) -> None:
    target, inside, most = tmp_path / "a.png", 0, 0
    told, lock, start = list[bool](), threading.Lock(), threading.Barrier(8)

    def ask() -> None:
        nonlocal inside, most
        start.wait()
        for _ in range(50):
            with atomic.claimed(target) as ours:
                if ours:
                    with lock:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.0005)
                    with lock:
                        inside -= 1
                told.append(ours)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert set(told) == {True, False}
    assert list(tmp_path.iterdir()) == []


def test_a_claim_of_another_file_is_another(tmp_path: Path) -> None:
    with atomic.claimed(tmp_path / "a") as first, atomic.claimed(tmp_path / "b") as second:
        assert (first, second) == (True, True)
        with atomic.claimed(str(tmp_path / "a")) as again:
            assert not again


def test_without_locks_everyone_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "fcntl", None)
    with atomic.claimed(tmp_path / "a") as first, atomic.claimed(tmp_path / "a") as second:
        assert (first, second) == (True, True)
    assert list(tmp_path.iterdir()) == []

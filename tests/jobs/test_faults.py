"""Whatever fails, and whenever a batch is ended: each result is complete or absent, and the next run leaves nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from injected_faults import CALLS, injected, room

from subpixel import Request, atomic
from subpixel.images import Image, write, writer
from subpixel.jobs.batch import upscale_batch
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.pool import Finished
from subpixel.jobs.resumption import unfinished

REQUEST = Request(model="bicubic", scale=2)
IDENTITY = REQUEST.identity
KINDS = {"a.png": "png", "b.jpg": "jpg", "deep/c.tif": "tif"}
KILLS, MOMENTS = 20, int(os.environ.get("SUBPIXEL_MOMENTS", "1"))
"""How often a process is killed at least by what it cannot hear, and how often it is sent each other signal."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    (folder / "deep").mkdir()
    for seed, name in enumerate(KINDS):
        levels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        write(folder / name, Image.from_array(levels))
    return folder


def run(photos: Path, out: Path) -> list[Finished]:
    """A batch as a new process would do it."""
    atomic._swept.clear()
    with REQUEST.upscaler() as upscaler:
        jobs = unfinished(find_jobs([str(photos)], str(out), suffix="x2"), IDENTITY)
        with closing(upscale_batch(jobs, upscaler, REQUEST.encoding, IDENTITY)) as events:
            return [event for event in events if isinstance(event, Finished)]


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the results are."""
    out = tmp_path_factory.mktemp("whole")
    assert all(end.error is None for end in run(photos, out))
    return contents(out)


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def results(folder: Path) -> dict[str, bytes]:
    return {
        name: content for name, content in contents(folder).items() if not name.startswith(".") and "/." not in name
    }


def check_and_finish(photos: Path, out: Path, whole: dict[str, bytes]) -> None:
    """What is there is complete; the next run makes the rest and leaves nothing else."""
    assert results(out).items() <= whole.items()
    assert all(end.error is None for end in run(photos, out))
    assert contents(out) == whole
    assert {path.name for path in out.rglob("*") if path.is_dir()} == {"deep"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("spilled", [False, True])
def test_the_kth_call_fails(
    photos: Path, whole: dict[str, bytes], tmp_path: Path, call: str, spilled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spilled:
        monkeypatch.setattr(writer, "IN_MEMORY", 0)
    for k in count(1):
        out = tmp_path / str(k)
        with injected(call, k) as fault:
            ends = run(photos, out)
        if not fault.hit:
            break
        assert len(ends) >= 1
        for end in ends:
            assert (
                end.error is not None
                or Path(end.job.target).read_bytes() == whole[os.path.relpath(end.job.target, out)]
            )
            assert end.error is None or "\n" not in str(end.error)
        check_and_finish(photos, out, whole)
    assert k > 1 or (call, spilled) == ("unlink", False)  # then the one file there is was renamed


@pytest.mark.parametrize("spilled", [False, True])
def test_a_write_fails(
    photos: Path, whole: dict[str, bytes], tmp_path: Path, spilled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spilled:
        monkeypatch.setattr(writer, "IN_MEMORY", 0)
    largest = max(map(len, whole.values()))
    for size in (0, 1, 100, 1000, largest // 2, largest - 1):
        out = tmp_path / str(size)
        with room(size):
            ends = run(photos, out)
        assert any(end.error for end in ends)
        check_and_finish(photos, out, whole)


SLOW = ["-m", "bicubic", "-s", "40"]


@pytest.fixture(scope="module")
def slow(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """What a batch of larger results makes, and how long it takes."""
    out = tmp_path_factory.mktemp("slow")
    start = time.monotonic()
    subprocess.run(batch(photos, out), check=True, capture_output=True)
    return contents(out), time.monotonic() - start


def batch(photos: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "subpixel", "upscale", str(photos), "-o", str(out), *SLOW]


@pytest.mark.parametrize("names", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGINT SIGINT SIGINT SIGINT SIGINT"])
def test_a_signal_at_a_random_moment(
    photos: Path, slow: tuple[dict[str, bytes], float], tmp_path: Path, names: str
) -> None:
    whole, seconds = slow
    numbers = [getattr(signal, name) for name in names.split()]
    for moment in range(max(MOMENTS, KILLS) if names == "SIGKILL" else MOMENTS):
        out = tmp_path / str(moment)
        out.mkdir()
        process = subprocess.Popen(batch(photos, out), stderr=subprocess.DEVNULL)
        time.sleep(random.Random(f"{names} {moment}").uniform(0.3, 1.0) * seconds)
        for number in numbers:
            process.send_signal(number)
            time.sleep(0.01)
        assert process.wait(60) in (0, -numbers[0], 128 + numbers[0])
        if numbers[0] != signal.SIGKILL:
            assert contents(out).keys() <= whole.keys()
        assert results(out).items() <= whole.items()
        subprocess.run(batch(photos, out), check=True, capture_output=True)
        assert contents(out) == whole
        assert not list(out.rglob(".*"))

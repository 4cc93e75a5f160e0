"""Files appear whole or not at all, and what a killed process left behind goes with the next run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from subpixel import atomic

HOLDS = """
import pathlib, sys, time
from subpixel import atomic
part = atomic.temporary(pathlib.Path(sys.argv[1]))
part.write_text("half")
part.with_suffix(".raw").write_text("more")
print(part, flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    """A process that is writing into the folder."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    return lambda: subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250 + ".txt")  # the temporary name does not follow the target's
    atomic.write_text(target, "old")
    with atomic.replacing(target) as part:
        part.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    with pytest.raises(NotADirectoryError), atomic.replacing(target) as part:
        part.mkdir()
    assert target.read_text() == "new"
    assert names(tmp_path) == [target.name]


def test_bytes_are_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[str]()
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("fsync"), sync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("rename"), replace(*paths))[1])
    atomic.write_bytes(tmp_path / "a", b"x")
    assert calls == ["fsync", "rename", "fsync"]  # the file, its name, the folder


def test_a_leftover_is_swept_when_its_process_is_dead(
    tmp_path: Path, holder: Callable[[], subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, alive = holder(), holder()
    try:
        lines = [process.stdout.readline().strip() for process in (dead, alive) if process.stdout]
        dead.kill()
        dead.wait()
        (tmp_path / ".subpixel-mine").mkdir()  # not a name of ours
        assert len(names(tmp_path)) == 3
        monkeypatch.setattr(atomic, "_swept", set())
        own = atomic.temporary(tmp_path)
        own.touch()
        monkeypatch.setattr(atomic, "_swept", set())
        atomic.write_text(tmp_path / "a", "x")
        assert not Path(lines[0]).exists()
        assert Path(lines[1]).read_text() == "half"
        assert own.exists()  # of this process, by another thread
        assert (tmp_path / ".subpixel-mine").exists()
        atomic.discard_all()
        assert not own.exists()
    finally:
        for process in (dead, alive):
            process.kill()
            process.communicate()


def test_a_folder_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    for content in ("one", "two"):
        part = atomic.temporary(tmp_path)
        (part / "inner").mkdir(parents=True)
        (part / "inner/file").write_text(content)
        atomic.commit(part, target)
        atomic.discard(part)
    assert (target / "inner/file").read_text() == "two"
    assert os.listdir(tmp_path) == ["a.zarr"]

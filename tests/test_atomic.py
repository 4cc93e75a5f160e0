"""Files appear whole or not at all, and what a killed process left behind goes with the next run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
from injected_faults import injected

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

DIES = """
import os, pathlib, sys
from subpixel import atomic
replace = os.replace
def dying(*paths):
    if sys.argv[2] == "after":
        replace(*paths)
    os._exit(9)
os.replace = dying
with atomic.replacing(pathlib.Path(sys.argv[1])) as part:
    part.mkdir()
    (part / "a").write_text("new")
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


def folder_of(text: str, at: Path) -> None:
    at.mkdir()
    (at / "a").write_text(text)


@pytest.mark.parametrize("call", ["mkdir", "rename", "replace"])
def test_a_folder_whose_place_cannot_be_taken_stays(call: str, tmp_path: Path) -> None:
    target = tmp_path / "x.zarr"
    folder_of("old", target)
    for k in count(1):
        with injected(call, k) as fault, suppress(OSError), atomic.replacing(target) as part:
            folder_of("new", part)
        assert (target / "a").read_text() == ("old" if fault.hit else "new")
        assert names(tmp_path) == [target.name]
        if not fault.hit:
            break
    assert k > 1


def test_a_folder_that_a_killed_process_was_replacing_is_given_back(tmp_path: Path) -> None:
    """It died after the old folder had gone, and before the new one had its name; or right after."""
    for moment, expected in (("before", "old"), ("after", "new")):
        folder = tmp_path / moment
        folder.mkdir()
        folder_of("old", folder / "x.zarr")
        subprocess.run([sys.executable, "-c", DIES, str(folder / "x.zarr"), moment], check=False)
        assert (folder / "x.zarr").exists() == (moment == "after")
        atomic.sweep(folder)
        assert (folder / "x.zarr/a").read_text() == expected
        assert names(folder) == ["x.zarr"]


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

"""What lies in an archive is staged in the temporary folder; nothing stays there, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from subpixel import atomic

STAGES = """
import os, signal, sys
from subpixel.jobs.staging import fetched
with fetched(sys.argv[1]) as copy:
    print(copy.read_bytes().decode(), flush=True)
    if sys.argv[2:] == ["die"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[2:] == ["wait"]:
        sys.stdin.read()
"""


@pytest.mark.skipif(atomic.fcntl is None, reason="leftovers are known by file locks, which this system lacks")
def test_what_a_killed_run_staged_goes_at_the_next(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", "image")
    place = tmp_path / "temp"
    place.mkdir()
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", STAGES, str(tmp_path / "a.zip/a.png")]
    dead = subprocess.run([*command, "die"], env=environment, capture_output=True, text=True)
    assert (dead.returncode, dead.stdout) == (-signal.SIGKILL, "image\n")
    assert len(os.listdir(place)) == 1
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "wait"], env=environment, stdin=pipe, stdout=pipe, text=True) as alive:
        assert alive.stdout
        assert alive.stdout.readline() == "image\n"
        [held] = os.listdir(place)  # the dead one's is gone, that of the living is there
        assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout == "image\n"
        assert os.listdir(place) == [held]
        alive.communicate("")
    assert os.listdir(place) == []

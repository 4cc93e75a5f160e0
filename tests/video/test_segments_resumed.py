"""A job that is killed goes on, to the same bytes, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from clips import Clip, Sound, make, request

from subpixel.errors import BadRequest
from subpixel.video import segments
from subpixel.video.damage import Damage
from subpixel.video.decoding import Frames
from subpixel.video.resumption import Resumed
from subpixel.video.source import probe
from subpixel.video.upscaling import Started, upscale

_LONG = Clip("long.mkv", frames=90, sounds=(Sound("flac"),), options={"g": "25", "bf": "3"})
_CALL = """
import sys, time
from subpixel.video import segments, upscaling, muxing
from subpixel.video.request import VideoRequest
upscaling.SECONDS = 0.4
real = muxing.join
muxing.join = lambda *given: (time.sleep(0.15), real(*given), time.sleep(0.15))[1]
for event in upscaling.upscale(sys.argv[1], sys.argv[2], VideoRequest.parse(sys.argv[3])):
    time.sleep(0.015)
"""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of ten frames."""
    monkeypatch.setattr("subpixel.video.upscaling.SECONDS", 0.4)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("codec", ["h264", "h265", "av1", "ffv1"])
def test_an_interrupted_job_gives_the_same_bytes(codec: str, tmp_path: Path) -> None:
    source, whole, halved = make(tmp_path, _LONG), tmp_path / "whole.mkv", tmp_path / "halved.mkv"
    list(upscale(source, whole, request(codec=codec)))
    events = upscale(source, halved, request(codec=codec))
    list(islice(events, 48))
    events.close()
    partial = tmp_path / "halved.mkv.partial"
    assert len(list(partial.glob("*.segment"))) == 4
    assert not halved.exists()
    first = next(resumed := upscale(source, halved, request(codec=codec)))
    assert isinstance(first, Started)
    assert first.resumed == 40
    assert len(list(resumed)) == 50 + 1
    assert halved.read_bytes() == whole.read_bytes()
    assert not partial.exists()


@pytest.mark.usefixtures("short")
def test_what_is_carried_on_begins_anew_with_each_segment(tmp_path: Path) -> None:
    """Seen again are the frames before it, whether they were made by the same run or not."""
    clip = Clip("small.mkv", size=(32, 48), frames=25, options={"g": "25"})
    source, whole, halved = make(tmp_path, clip), tmp_path / "whole.mkv", tmp_path / "halved.mkv"
    asked = request(model="swift-video", codec="ffv1")
    list(upscale(source, whole, asked))
    events = upscale(source, halved, asked)
    list(islice(events, 16))
    events.close()
    resumed = upscale(source, halved, asked)
    first = next(resumed)
    assert isinstance(first, Started)
    assert first.resumed == 10
    list(resumed)
    assert halved.read_bytes() == whole.read_bytes()


def content(path: Path) -> dict[str, bytes]:
    """Of a file, or of each file in a folder."""
    return {file.name: file.read_bytes() for file in path.iterdir()} if path.is_dir() else {"": path.read_bytes()}


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("ending", [".mkv", ""])
def test_killed_at_any_moment(ending: str, tmp_path: Path) -> None:
    source, whole, killed = make(tmp_path, _LONG), tmp_path / f"whole{ending}", tmp_path / f"killed{ending}"
    call = [sys.executable, "-c", _CALL, str(source)]
    asked, environment = request().model_dump_json(), os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    began = time.monotonic()
    subprocess.run([*call, str(whole), asked], check=True, env=environment)
    lasting = time.monotonic() - began
    rng, kills = random.Random(int(os.environ.get("SUBPIXEL_SEED", "0"))), 0
    for _ in range(int(os.environ.get("SUBPIXEL_KILLS", "3"))):
        with subprocess.Popen([*call, str(killed), asked], env=environment) as process:
            try:
                process.wait(rng.uniform(0.3, 0.9) * lasting)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
        if killed.exists() and not Path(f"{killed}.partial").exists():
            assert content(killed) == content(whole)
            remove(killed)
    subprocess.run([*call, str(killed), asked], check=True, env=environment)
    assert content(killed) == content(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == [killed.name, "long.mkv", whole.name]
    assert kills


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("change", ["quality", "source", "threads"])
def test_another_job_is_refused(change: str, tmp_path: Path) -> None:
    source, target = make(tmp_path, _LONG), tmp_path / "out.mkv"
    events = upscale(source, target, request())
    list(islice(events, 30))
    events.close()
    asked: dict[str, Any] = {"quality": {"quality": 30}, "threads": {"execution": {"threads": 2}}}.get(change, {})
    if change == "source":
        os.utime(source, (1, 1))
    with pytest.raises(BadRequest, match=r"another job \(other .*(request|source)"):
        list(upscale(source, target, request(**asked)))


def test_what_fails_before_the_first_segment_leaves_nothing(tmp_path: Path) -> None:
    source, target = make(tmp_path, _LONG), tmp_path / "out.mkv"
    events = upscale(source, target, request())
    list(islice(events, 4))
    events.close()
    assert [path.name for path in tmp_path.iterdir()] == ["long.mkv"]


def test_frames_are_found_again_or_looked_for_from_the_beginning(tmp_path: Path) -> None:
    source = probe(make(tmp_path, Clip("far.mkv", frames=150, options={"g": "30"})))
    frames = list(Frames(source))
    tail = [[frame.pts, frame.crc()] for frame in frames[92:100]]
    sought = Frames(source, sought=float(tail[0][0] * source.time_base))
    assert next(iter(sought)).pts == frames[30].pts
    for again, expected in ((tail, 1), ([[pts, crc ^ 1] for pts, crc in tail], 100)):
        whole = Frames(source)
        spied = _Counting(whole)
        rest = list(Resumed(Frames(source, sought=tail[0][0] / 1000), spied, again))  # pyright: ignore[reportArgumentType]
        assert [frame.pts for frame in rest] == [frame.pts for frame in frames[100:]]
        assert (spied.seen > 0) == (expected == 100)


class _Counting:
    ends: int | None = None

    def __init__(self, frames: Frames) -> None:
        self.frames, self.seen, self.damage = frames, 0, frames.damage

    def __iter__(self) -> Any:
        for frame in self.frames:
            self.seen += 1
            yield frame


def test_segments_hold_what_was_written(tmp_path: Path) -> None:
    partial = segments.Partial(tmp_path / "a.mkv", {"x": 1})
    assert partial.begin() == []
    with partial.path(0).open("wb") as file:
        segment = segments.Segment(file, 0, -5)
        segment.write([_Packet(3, b"abc", True), _Packet(-1, b"", False)])
        segment.close(Damage(corrupt=2))
    (end,) = partial.begin()
    assert (end.number, end.origin, end.damage["corrupt"]) == (0, -5, 2)
    assert list(partial.packets()) == [segments.Packet(3, True, b"abc"), segments.Packet(-1, False, b"")]
    assert partial.times() == [3, -1]


class _Packet:
    def __init__(self, pts: int, data: bytes, is_keyframe: bool) -> None:
        self.pts, self.is_keyframe, self._data = pts, is_keyframe, data

    def __bytes__(self) -> bytes:
        return self._data

"""What films and folders of all kinds must not come to: lost packets and frames, folders removed, options unheard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest
from clips import Clip, make

from subpixel.cli import main
from subpixel.jobs.pool import Finished
from subpixel.video.request import VideoRequest
from subpixel.video.upscaling import Started, upscale


def run(source: Path, target: Path, **asked: Any) -> tuple[Started, Finished]:
    request = VideoRequest.parse({"model": "bicubic", "scale": 2, "execution": {"threads": 1}} | asked)
    started, *_, finished = upscale(source, target, request)
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    return started, finished


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line in which the command refuses, with status 2."""
    with pytest.raises(SystemExit) as ended:
        main(["video", *map(str, arguments), "-m", "bicubic", "-q"])
    out, error = capfd.readouterr()
    assert (ended.value.code, out, error.count("\n")) == (2, "", 1)
    return error


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_folder_of_somebody_else_is_not_taken(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target, stray = make(tmp_path, Clip("a.mkv")), tmp_path / "b.mkv", tmp_path / "b.mkv.partial"
    stray.mkdir()
    (stray / "notes.txt").write_text("the only copy")
    error = refused(capfd, source, "-o", target, *options)
    assert error.startswith(f"subpixel: the folder {stray} would hold what is done, but is in use for something else")
    assert (stray / "notes.txt").read_text() == "the only copy"
    assert not target.exists()


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv")), tmp_path / "b.mkv"
    (tmp_path / "b.mkv.partial").mkdir()
    (tmp_path / "b.mkv.partial" / ".subpixel-0123456789abcdef").mkdir()
    run(source, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]


@pytest.mark.parametrize("name", ["notes.txt", "job.json", None])
def test_only_its_own_job_replaces_a_result(
    name: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target, stray = make(tmp_path, Clip("a.mkv")), tmp_path / "b.mkv", tmp_path / "b.mkv.partial"
    target.write_text("the only copy")
    stray.mkdir()
    if name:
        (stray / name).write_text("{}")
    why = "holds the beginning of another job" if name == "job.json" else "exists; --overwrite replaces it"
    assert why in refused(capfd, source, "-o", target)
    assert target.read_text() == "the only copy"


def times(path: Path, stream: int = 0) -> list[float]:
    """When the frames are shown."""
    with av.open(str(path)) as file:
        return sorted(float(p.pts * p.time_base) for p in file.demux(file.streams[stream]) if p.pts is not None)


@pytest.mark.parametrize("ending", ["mkv", "mov", "mp4"])
def test_every_packet_of_a_second_film_is_kept(ending: str, tmp_path: Path) -> None:
    """Matroska does not say when the first frames are decoded, where others come in another order."""
    once, source, target = make(tmp_path, Clip("a.mp4", frames=25)), tmp_path / "twice.mkv", tmp_path / f"b.{ending}"
    with av.open(str(once)) as given, av.open(str(source), "w") as file:
        streams = [file.add_stream_from_template(given.streams[0]) for _ in range(2)]
        for packet in [packet for packet in given.demux() if packet.size]:
            for stream in streams:
                packet.stream = stream
                file.mux(packet)
    _, finished = run(source, target)
    assert finished.error is None
    assert times(target, 1) == pytest.approx([k / 25 for k in range(25)], abs=1e-3)
    with av.open(str(source)) as given, av.open(str(target)) as file:
        packets = [[bytes(packet) for packet in each.demux(each.streams[1]) if packet.size] for each in (given, file)]
    assert packets[0] == packets[1]


def test_frames_whose_times_are_in_the_order_of_decoding(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.avi", frames=30)), tmp_path / "b.mkv"
    with av.open(str(source)) as file:
        said = [frame.pts or 0 for frame in file.decode(video=0)]
    assert said != sorted(said)
    _, finished = run(source, target)
    found = times(target)
    assert finished.error is None
    assert len(found) == len(set(found)) == 30
    assert 29 / 25 <= found[-1] - found[0] <= 31 / 25

"""What films and folders of all kinds must not come to: lost packets and frames, folders removed, options unheard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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

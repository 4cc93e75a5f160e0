"""`subpixel video` replaces nothing that it was not told to replace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs the extra video")

from clip import clip

from subpixel.video import VideoRequest, upscale, upscaling

Call = Callable[..., tuple[int, str, str]]


def test_what_exists_is_replaced_when_told(call: Call, tmp_path: Path) -> None:
    source, target = clip(tmp_path / "a.mp4", frames=5), tmp_path / "b.mp4"
    target.write_bytes(b"a film that nobody has a copy of")
    asked = ["video", source, "-o", target, "-m", "bicubic", "-q"]
    status, out, error = call(*asked)
    assert (status, out) == (2, "")
    assert error == f"subpixel: {target} exists; --overwrite replaces it\n"
    assert target.read_bytes() == b"a film that nobody has a copy of"
    assert call(*asked, "--overwrite")[0] == 0
    assert target.stat().st_size > 500


def test_a_start_that_came_to_nothing_leaves_no_folder(tmp_path: Path) -> None:
    target = tmp_path / "new/films/b.mp4"
    events = upscale(clip(tmp_path / "a.mp4", frames=30), target, VideoRequest.parse({"model": "bicubic"}))
    for _ in range(3):
        next(events)
    assert target.parent.is_dir()
    events.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4"]


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_file_is_no_folder_for_frames(call: Call, tmp_path: Path, options: list[str]) -> None:
    source, target = clip(tmp_path / "a.mp4", frames=5), tmp_path / "frames"
    target.write_text("notes")
    for output, why in ((target, f"{target} is no folder"), ("-", "a video cannot go to standard output")):
        status, out, error = call("video", source, "-o", output, "-m", "bicubic", *options)
        assert (status, out, error.count("\n")) == (2, "", 1)
        assert error.startswith(f"subpixel: {why}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "frames"]
    assert target.read_text() == "notes"


@pytest.mark.parametrize(
    ("output", "codec", "quality", "told"),
    [
        ("b.mkv", "ffv1", 30, True),
        ("frames", "auto", 30, True),
        ("b.mkv", "ffv1", 65, False),
        ("b.mkv", "h264", 30, False),
    ],
)
def test_a_quality_that_says_nothing_is_told(
    call: Call, tmp_path: Path, output: str, codec: str, quality: int, told: bool
) -> None:
    source = clip(tmp_path / "a.mp4", frames=5)
    asked = ["video", source, "-o", tmp_path / output, "-m", "bicubic", "--codec", codec, "--quality", quality]
    status, _, error = call(*asked)
    assert (status, f"quality {quality} says nothing to" in error) == (0, told)


def test_what_was_interrupted_goes_on_though_the_earlier_film_is_there(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upscaling, "SECONDS", 0.4)
    source, target = clip(tmp_path / "a.mp4", frames=30), tmp_path / "b.mp4"
    events = upscale(source, target, VideoRequest.parse({"model": "bicubic"}))
    for _ in range(25):
        next(events)
    events.close()
    target.write_bytes(b"an earlier film")
    assert call("video", source, "-o", target, "-m", "bicubic", "-q")[0] == 0
    assert target.stat().st_size > 500

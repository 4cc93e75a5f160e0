"""A video that only its owner may read gives one that only its owner may read."""

from __future__ import annotations

from pathlib import Path

from clips import Clip, make

from subpixel.video.request import VideoRequest
from subpixel.video.upscaling import upscale


def test_the_result_has_the_mode_of_its_source(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("film.mkv"))
    source.chmod(0o600)
    list(upscale(source, tmp_path / "larger.mkv", VideoRequest.parse({"model": "bicubic"})))
    assert (tmp_path / "larger.mkv").stat().st_mode & 0o777 == 0o600

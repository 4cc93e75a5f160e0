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

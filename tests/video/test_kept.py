"""What was lost without a word, and must be kept or said: results, sound, times, texts, alpha, the file that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from clips import Clip, make, request

from subpixel.errors import BadRequest
from subpixel.video import upscale


def test_a_result_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv", frames=2)), tmp_path / "b.mkv"
    target.write_text("the only copy")
    with pytest.raises(BadRequest, match=r"b\.mkv exists; --overwrite replaces it"):
        list(upscale(source, target, request()))
    assert target.read_text() == "the only copy"
    list(upscale(source, target, request(), overwrite=True))
    assert target.stat().st_size > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]

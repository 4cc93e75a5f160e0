"""The benchmark of large folders, with a small one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from subpixel.benchmarks import folder


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
def test_a_folder_is_made_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_LINKS", 30)
    walk = folder.measure(tmp_path, 100, per_folder=40)
    assert walk.files == 100
    assert sorted(len(list(place.iterdir())) for place in (tmp_path / "images").glob("[!.]*")) == [20, 40, 40]
    assert 0.1 < walk.first < 60
    assert 20 < walk.peak < 1000
    assert 0 < walk.scan < 10
    assert 0 < walk.resume < 10

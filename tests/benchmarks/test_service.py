"""The service is measured from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from subpixel.benchmarks import service
from subpixel.runtimes import installed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_every_number_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LARGE", 500)
    monkeypatch.setattr(service, "_VIDEO", (48, 64, 250))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    served = service.measure(tmp_path, images=3, side=48, rounds=1)
    assert served.batch > 0
    assert served.service > 0
    assert 0 < served.health_median <= served.health
    what = ["a job of 1 megapixels", *(["a video of 64 x 48"] if installed("av") else [])]
    assert [(name, 0 < seconds < 30) for name, seconds in served.cancel.items()] == [(name, True) for name in what]
    assert 0 < served.bomb < 5
    assert 20 < served.idle < 500

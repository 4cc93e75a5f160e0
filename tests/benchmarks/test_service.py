"""The service is measured from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from subpixel.benchmarks import service


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_every_number_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LARGE", 400)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    served = service.measure(tmp_path, images=3, side=48, rounds=1)
    assert served.batch > 0
    assert served.service > 0
    assert 0 < served.health_median <= served.health
    assert 0 < served.cancel < 30
    assert 0 < served.bomb < 5
    assert 20 < served.idle < 500

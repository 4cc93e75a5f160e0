"""What `bench speed` prints of a model is its work over its time, as soon as it is measured."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from subpixel import models
from subpixel.benchmarks.speed import against_opencv, interleaved, shares
from subpixel.errors import BadWeights, UnknownName


def test_each_share_is_there_before_the_next_model_is_opened() -> None:
    rows = shares(["espcn-x2", "no-such-model"], size=(8, 12), runs=1)
    row = next(rows)
    macs = models.load("espcn-x2").card.macs  # an output pixel
    assert row.gigaflops * row.milliseconds == pytest.approx(2 * macs * 16 * 24 / 1e6)
    with pytest.raises(UnknownName):
        next(rows)


def test_opencvs_files_are_looked_at_first(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(BadWeights, match=r"FSRCNN_x2\.pb: no such file"):
        against_opencv(tmp_path / "nope")
    (tmp_path / "FSRCNN_x2.pb").write_bytes(b"\x89PNG nothing")
    with pytest.raises(BadWeights, match=r"FSRCNN_x2\.pb: it is not a frozen TensorFlow graph"):
        against_opencv(tmp_path)


def test_slow_calls_are_timed_fewer_times() -> None:
    times = interleaved({"slow": lambda: time.sleep(0.02), "fast": lambda: None}, 4, patience=0.03)
    assert (len(times["slow"]), len(times["fast"])) == (2, 4)

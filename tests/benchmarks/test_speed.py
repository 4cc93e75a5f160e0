"""What `bench speed` prints of a model is its work over its time, as soon as it is measured."""

from __future__ import annotations

import pytest

from subpixel import models
from subpixel.benchmarks.speed import shares
from subpixel.errors import UnknownName


def test_each_share_is_there_before_the_next_model_is_opened() -> None:
    rows = shares(["espcn-x2", "no-such-model"], size=(8, 12), runs=1)
    row = next(rows)
    macs = models.load("espcn-x2").card.macs  # an output pixel
    assert row.gigaflops * row.milliseconds == pytest.approx(2 * macs * 16 * 24 / 1e6)
    with pytest.raises(UnknownName):
        next(rows)

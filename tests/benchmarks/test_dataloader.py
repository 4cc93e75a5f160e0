"""The benchmark of the reader tells a slow one from a fast one."""

from __future__ import annotations

import time

import numpy as np
import pytest

from subpixel.benchmarks.dataloader import reading
from subpixel.datasets.sample import Arrays, Sample
from subpixel.errors import DataError


class Slow:
    """Batches that take a while."""

    scale = 2

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def check(self, patch: int) -> None:
        if patch > 8:
            raise DataError("too large")

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> Arrays:
        time.sleep(self.seconds)
        low = rng.integers(0, 256, (size, 3, patch, patch), dtype=np.uint8)
        return Sample(low, low.repeat(2, axis=2).repeat(2, axis=3))


def test_a_slow_reader_shows() -> None:
    def step(batch: object) -> None:
        time.sleep(0.02)

    slow = reading("slow", Slow(0.2), step, size=1, patch=8, rounds=2, steps=4, threads=2)
    assert slow.seconds > 0.08  # two threads give ten batches a second
    assert slow.share < 0.6
    assert 0.6 < slow.waiting < 0.9  # 80 of 100 ms
    fast = reading("fast", Slow(0.001), step, size=1, patch=8, rounds=5, steps=4)
    assert fast.synthetic >= 0.02
    assert fast.share > 0.7  # prepared while the step sleeps
    assert fast.waiting < 0.1
    with pytest.raises(DataError, match="too large"):
        reading("slow", Slow(0.0), step, size=1, patch=9)

"""No encoder makes the process real-time, which would starve all others of a machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from clips import Clip, make

from subpixel.video.encoding import CODECS
from subpixel.video.priority import own_priority
from subpixel.video.request import VideoRequest
from subpixel.video.upscaling import upscale

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads and their policies are in /proc")


def policies() -> Iterator[int]:
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):
            yield os.sched_getscheduler(int(thread))


@pytest.mark.parametrize("codec", [codec for codec in CODECS if codec not in ("auto", "png")])
def test_all_threads_keep_their_priority(tmp_path: Path, codec: str) -> None:
    """Opened for a segment, and once more where these are joined; as root this failed with AV1."""
    request = VideoRequest.parse({"model": "bicubic", "codec": codec})
    for _ in upscale(make(tmp_path, Clip("film.mkv")), tmp_path / "larger.mkv", request):
        assert set(policies()) == {os.SCHED_OTHER}
    assert set(policies()) == {os.SCHED_OTHER}


def test_what_is_made_real_time_is_put_back() -> None:
    with own_priority(), suppress(PermissionError):  # only root may
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99))
    assert os.sched_getscheduler(0) == os.SCHED_OTHER

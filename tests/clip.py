"""A video for the tests of other rooms than its own."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def clip(place: Path, frames: int = 8, size: tuple[int, int] = (64, 48)) -> Path:
    """A video of 25 frames a second in which a wave moves."""
    av: Any = pytest.importorskip("av", reason="needs the extra video")
    x, y = np.mgrid[: size[1], : size[0]][::-1]
    with av.open(str(place), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for k in range(frames):
            wave = np.round(128 + 90 * np.sin(x / 5 + k / 2) * np.cos(y / 7)).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.stack([wave] * 3, axis=2), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return place

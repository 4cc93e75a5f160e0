"""Tiles that stay are remembered, exactly; and it is known where that pays."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import Clip, make, texture

from subpixel import Upscaler
from subpixel.analysis import DegradationReport
from subpixel.runtimes import Execution
from subpixel.video.enlarging import FrameUpscaler
from subpixel.video.planes import Plane
from subpixel.video.source import probe
from subpixel.video.stillness import StillTiles, still_share, with_still_tiles

SIZE = (192, 256)


def screen(x: int) -> Plane:
    """A still screen with a pointer of 8 pixels."""
    plane = np.round(texture(0, SIZE) * 255).astype(np.uint8)
    plane[100:108, x : x + 8] = 255
    return plane


class Counting:
    name, precision, device = "counting", "f32", "cpu"

    def __init__(self) -> None:
        self.calls = 0

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        return {"high": feeds["low"].repeat(2, 1).repeat(2, 2)}

    def close(self) -> None: ...


def test_what_has_not_changed_is_not_computed() -> None:
    counting = Counting()
    memory = StillTiles(counting)  # pyright: ignore[reportArgumentType]
    frames = [[np.full((1, 4, 4, 1), k, np.uint8) for k in frame] for frame in ((1, 2, 3), (1, 9, 3), (1, 9, 3))]
    for frame, calls in zip(frames, (3, 4, 4), strict=True):
        memory.begin()
        for tile in frame:
            assert (memory.run({"low": tile})["high"] == tile[0, 0, 0, 0]).all()
        assert counting.calls == calls


def test_the_result_is_that_of_the_same_tiles_without_memory() -> None:
    upscaler = Upscaler("swift-x2", tile=64, execution=Execution(precision="f32", threads=1))
    with_memory, memory = with_still_tiles(upscaler.prepare(_gray()))
    for x in (10, 10, 60, 200):
        memory.begin()
        plane = screen(x)
        np.testing.assert_array_equal(_run(with_memory, plane), upscaler(plane))


def _gray() -> Any:
    from subpixel.ports import Shape

    return Shape(*SIZE, 1, dtype="uint8")


def _run(plan: Any, plane: Plane) -> Plane:
    from subpixel.inference.rows import ArrayRows

    return plan.rows(ArrayRows(plane[..., None], plan.source)).rows(0, plan.target.height)[..., 0]


def test_the_share_of_still_tiles() -> None:
    """Of 3 x 4 tiles of 64 the pointer is in one; with halos of 22 it is in those around it, but for the upper row."""
    assert still_share([(screen(84), screen(100))], 4) == pytest.approx(11 / 12)
    assert still_share([(screen(84), screen(100))], 22) == pytest.approx(6 / 12)
    assert still_share([], 12) == 0
    moving = [np.round(texture(k, SIZE) * 255).astype(np.uint8) for k in range(3)]
    assert still_share(pairwise(moving), 12) == 0


def test_a_screen_is_remembered_and_film_is_not(tmp_path: Path) -> None:
    source = probe(make(tmp_path, Clip("a.mkv", "ffv1", size=SIZE, frames=2)))
    upscaler = Upscaler("swift-x2", execution=Execution(precision="f32", threads=1))
    still = FrameUpscaler(upscaler, source, source.layout, DegradationReport(), [(screen(84), screen(100))])
    film = FrameUpscaler(upscaler, source, source.layout, DegradationReport())
    assert "still tiles are computed once" in still.describe()
    assert "still" not in film.describe()
    chroma = [np.full((96, 128), 128, np.uint8)] * 2
    for x in (10, 60):
        difference = still([screen(x), *chroma])[0].astype(int) - film([screen(x), *chroma])[0]
        assert np.abs(difference).max() <= 1

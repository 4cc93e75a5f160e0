"""A network with a memory, frame by frame: what torch makes of the clip as a whole, in tiles, and anew after a cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from subpixel import Upscaler, models
from subpixel.errors import BadRequest
from subpixel.inference.plan import Plan
from subpixel.inference.rows import ArrayRows
from subpixel.ports import Shape
from subpixel.runtimes import Execution
from subpixel.video.recurrence import RecurrentRuntime, with_memory

Frames = NDArray[np.float32]
EXACT = Execution(precision="f32", threads=1)


def clip(count: int = 4, moved: float = 1.5) -> Frames:
    """Frames T H W of a smooth pattern that moves to the right."""
    y, x = np.mgrid[:40, :52].astype(np.float32)
    frames = [np.sin((x - k * moved) * 0.7) * np.cos(y * 0.4 + (x - k * moved) * 0.2) for k in range(count)]
    return np.stack(frames).astype(np.float32) * np.float32(0.3) + np.float32(0.5)


def prepared(tile: Any = "auto", execution: Execution = EXACT) -> tuple[Plan, RecurrentRuntime]:
    plan = Upscaler("swift-video-x2", tile=tile, execution=execution, video=True).prepare(Shape(40, 52, 1))
    plan, (memory,) = with_memory(plan, execution)
    return plan, memory


def enlarged(plan: Plan, frame: Frames) -> Frames:
    return plan.rows(ArrayRows(frame[..., None], plan.source)).rows(0, 80)[..., 0]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_frames_are_what_torch_makes_of_the_clip(runtime: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip(runtime)
    from subpixel.models import weights

    frames = clip()
    with torch.no_grad():
        network = weights.network(models.load("swift-video-x2"))
        expected = network.outputs(torch.from_numpy(frames[None]))[0][0][0].clamp(0, 1).numpy()
    plan, _ = prepared(execution=replace(EXACT, runtime=runtime))
    found = np.stack([enlarged(plan, frame) for frame in frames])
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.abs(expected[3] - enlarged(prepared()[0], frames[3])).max() > 0.005  # by itself it is another


def test_tiles_are_the_whole() -> None:
    whole, tiled = (prepared(tile)[0] for tile in (0, 17))
    for frame in clip():
        np.testing.assert_allclose(enlarged(tiled, frame), enlarged(whole, frame), atol=1e-5)


def test_a_beginning_and_a_cut_forget() -> None:
    (plan, memory), (fresh, _) = prepared(), prepared()
    dark, bright = clip(2) * np.float32(0.3), 1 - clip(2) * np.float32(0.3)
    by_itself = enlarged(fresh, bright[0])
    enlarged(plan, dark[0])
    assert np.array_equal(enlarged(plan, bright[0]), by_itself)  # a cut
    assert not np.array_equal(enlarged(plan, bright[0]), by_itself)
    memory.begin()
    assert np.array_equal(enlarged(plan, bright[0]), by_itself)


def test_channels_are_remembered_one_by_one() -> None:
    upscaler = Upscaler("swift-video-x2", execution=EXACT, video=True)
    plan, _ = with_memory(upscaler.prepare(Shape(40, 52, 3)), EXACT)
    frames, gray = clip(2), prepared()[0]
    for frame in frames:
        rgb = np.dstack([frame, 1 - frame, frame])
        found = plan.rows(ArrayRows(rgb, plan.source)).rows(0, 80)
        np.testing.assert_allclose(found[..., 2], enlarged(gray, frame), atol=1e-5)


def test_photos_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"swift-video-x2 carries what it sees .* subpixel video"):
        Upscaler("swift-video-x2")
    with pytest.raises(BadRequest, match=r"swift-video-x2 carries what it sees .* subpixel video"):
        Upscaler("swift-video", video=True)(np.zeros((8, 8, 3), np.uint8))

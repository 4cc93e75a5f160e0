"""Which frame the others are laid on, where some show another scene or are copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import Image, read
from subpixel.benchmarks.burst import Setting, make_burst
from subpixel.burst import Fusion, fuse
from subpixel.burst.frames import Frame, find_duplicates, sharpness
from subpixel.burst.registration import low_pass, similarity, small
from subpixel.burst.stack import stack_frames
from subpixel.images import Metadata
from subpixel.inference.upscaler import Upscaler

Levels = np.ndarray


def _shots(examples: Path, name: str, top: int, left: int, count: int, psf: float = 0.4) -> list[Levels]:
    truth = np.ascontiguousarray(read(examples / name).pixels[top : top + 128, left : left + 128])
    return list(make_burst(truth, Setting("", count, psf=psf, noise=2), 2, np.random.default_rng(5))[0])


@pytest.fixture(scope="module")
def ours(examples: Path) -> list[Levels]:
    return _shots(examples, "astronaut.jpg", 148, 138, 4)


@pytest.fixture(scope="module")
def strange(examples: Path) -> list[Levels]:
    """Of another scene, and sharper than ours."""
    return _shots(examples, "coffee.jpg", 210, 360, 3, psf=0.3)


def _fused(frames: list[Levels]) -> Fusion:
    return fuse(frames, 2, psf=0.4, model="bicubic")


def _same(a: Fusion, b: Fusion) -> bool:
    return np.array_equal(a.image.pixels, b.image.pixels) and np.array_equal(a.uncertainty, b.uncertainty)


def test_a_strange_frame_that_is_the_sharpest_changes_nothing(ours: list[Levels], strange: list[Levels]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, ours[0].shape, dtype=np.uint8)
    lumas = [low_pass(Frame.of(frame, 1).luma()) for frame in (*ours, strange[0], noise)]
    assert max(map(sharpness, lumas[:4])) < 0.95 * min(map(sharpness, lumas[4:]))
    alone = _fused(ours)
    for others in ([strange[0]], [noise, strange[0]], strange):
        fusion = _fused([*others, *ours])
        named = [(f"frame {k}", "it shows something else") for k in range(1, len(others) + 1)]
        assert list(fusion.report.left_out) == named
        assert (fusion.report.used, fusion.report.gain) == (4, alone.report.gain)
        assert _same(fusion, alone)


def test_of_the_frames_that_agree_the_sharpest_is_the_reference(examples: Path, strange: list[Levels]) -> None:
    soft, sharp = (_shots(examples, "astronaut.jpg", 148, 138, 3, psf) for psf in (0.8, 0.4))
    frames = [Frame.of(frame, k) for k, frame in enumerate([strange[0], soft[0], sharp[1], sharp[2]])]
    stack = stack_frames(frames, None, None)
    assert stack.frames[0].frame is frames[2]
    assert stack.left_out[0] == "it shows something else"


def test_of_two_groups_as_large_the_sharper_is_shown(ours: list[Levels], strange: list[Levels]) -> None:
    for count, reference in ((2, 2), (3, 0)):
        frames = [Frame.of(frame, k) for k, frame in enumerate([*ours[:count], *strange[:2]])]
        assert stack_frames(frames, None, None).frames[0].frame is frames[reference]


def test_a_reference_that_was_asked_for_stays(ours: list[Levels], strange: list[Levels]) -> None:
    report = fuse([*ours[:2], strange[0]], 2, model="bicubic", reference=2).report
    assert (report.reference, report.used, report.kind) == ("frame 3", 1, "single")
    assert report.summary == "1 of 3 frames on frame 3; nothing to fuse it with: that one enlarged; " + "; ".join(
        f"frame {k}: it shows something else" for k in (1, 2)
    )


def test_frames_are_laid_on_two_of_them_at_most() -> None:
    """Of eight frames the three dullest are of one scene: 14 registrations, not 28."""
    rng, told = np.random.default_rng(0), list[str]()
    frames = [np.kron(rng.integers(0, 256, (16, 16, 3)), np.ones((2, 2, 1))).astype(np.uint8) for _ in range(8)]
    dull = np.repeat(np.repeat(rng.integers(0, 256, (8, 9, 3), dtype=np.uint8), 4, axis=0), 4, axis=1)
    frames[-3:] = [np.ascontiguousarray(dull[:, k : 32 + k]) for k in range(3)]
    stack = stack_frames([Frame.of(frame, k) for k, frame in enumerate(frames)], None, told.append)
    assert len(told) == 14
    assert len(stack.frames) == 3
    assert sorted(stack.left_out) == list(range(5))


def test_likeness_tells_scenes_apart(examples: Path, ours: list[Levels], strange: list[Levels]) -> None:
    turned = _turned(examples)
    ours_, strange_ = ([small(Frame.of(frame, 1).luma()) for frame in frames] for frames in (ours, strange))
    assert ours_[0].shape == (64, 64)
    assert min(similarity(a, ours_[0]) for a in ours_) > 0.9
    assert similarity(*(small(Frame.of(frame, 1).luma()) for frame in turned)) > 0.6
    assert max(similarity(a, b) for a in ours_ for b in strange_) < 0.3
    assert similarity(np.zeros((64, 64), np.float32), ours_[0]) == 0


def _turned(examples: Path) -> list[Levels]:
    truth = np.ascontiguousarray(read(examples / "coffee.jpg").pixels[60:316, 120:440])
    return make_burst(truth, Setting("", 2, degrees=3), 2, np.random.default_rng(1))[0]


def test_a_copy_counts_once(ours: list[Levels]) -> None:
    """With more bits, too; the gain is not that of a frame which foretells itself."""
    deep = Image.from_array(ours[1].astype(np.uint16) * 257, Metadata(depth=16))
    fusion = fuse([*map(Image.from_array, ours), deep], 2, psf=0.4, model="bicubic")
    assert fusion.report.left_out == (("frame 5", "it is the same as frame 2"),)
    assert "4 of 5 frames on frame 1" in fusion.report.summary
    alone = _fused(ours)
    assert fusion.report.gain == alone.report.gain
    assert _same(fusion, alone)


def test_twins(ours: list[Levels]) -> None:
    almost = ours[0].copy()
    almost[0, 0, 0] ^= 1
    finer = ours[0].astype(np.uint16) * 257
    finer[0, 0, 0] ^= 1
    frames = [Frame.of(levels, k) for k, levels in enumerate([ours[0], almost, ours[0].copy(), finer])]
    assert find_duplicates(frames, 0) == {frames[2]: frames[0], frames[3]: frames[0]}
    assert find_duplicates(frames, 2) == {frames[0]: frames[2], frames[3]: frames[2]}
    deep = [Frame.of(levels, k) for k, levels in enumerate([ours[0].astype(np.uint16) * 257, finer])]
    assert find_duplicates(deep, 0) == {}


@pytest.mark.parametrize("level", [None, 0, 255])
def test_copies_of_one_frame_are_one_frame(ours: list[Levels], level: int | None) -> None:
    frame = ours[0] if level is None else np.full_like(ours[0], level)
    fusion = fuse([frame] * 3, 2, model="bicubic")
    assert fusion.report.kind == "single"
    assert fusion.report.summary == (
        "1 of 3 frames on frame 1; nothing to fuse it with: that one enlarged; "
        "frame 2: it is the same as frame 1; frame 3: it is the same as frame 1"
    )
    assert np.array_equal(fusion.image.pixels, Upscaler("bicubic", scale=2)(Image.from_array(frame)).pixels)

"""Motion, flicker and the table, on clips whose motion is known."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")
sys.path.insert(0, str(Path(__file__).parents[1] / "video"))
from clips import Clip, make

from subpixel.benchmarks import video as bench
from subpixel.errors import BadWeights, UnreadableImage
from subpixel.video.planes import Layout

_RNG = np.random.default_rng(0)
NOISE = _RNG.random((96, 96)).astype(np.float32) * 255


def shifted(dy: int, dx: int) -> np.ndarray:
    return np.ascontiguousarray(NOISE[20 - dy : 84 - dy, 20 - dx : 84 - dx])


def test_motion_is_found_and_undone() -> None:
    motion = bench.motion_of(shifted(0, 0), shifted(3, -5))
    assert motion.shape == (4, 4, 2)
    assert motion[1:3, 1:3].reshape(-1, 2).tolist() == [[-3, 5]] * 4
    np.testing.assert_array_equal(bench.moved(shifted(0, 0), motion)[16:48, 16:48], shifted(3, -5)[16:48, 16:48])


def test_an_error_that_moves_with_the_image_does_not_flicker() -> None:
    truth = [shifted(0, 2 * k) for k in range(4)]
    motion = [bench.motion_of(a, b) for a, b in pairwise(truth)]
    assert all((blocks[1:3, 1:3] == (0, -2)).all() for blocks in motion)
    stuck = [frame + 8 * (shifted(0, 2 * k + 1) > 128) for k, frame in enumerate(truth)]
    flickering = [frame + 8.0 * (-1) ** k for k, frame in enumerate(truth)]
    inner = [m[1:3, 1:3] for m in motion]
    cut = [[f[16:48, 16:48].astype(np.float32) for f in frames] for frames in (truth, flickering)]
    psnr, difference, flicker = bench._quality(cut[1], cut[0], [np.zeros_like(m) for m in inner])
    assert psnr == pytest.approx(20 * np.log10(255 / 8), abs=1e-4)
    assert difference == pytest.approx(20 * np.log10(255 / 16), abs=1e-4)
    assert flicker == pytest.approx(16, abs=1e-4)
    along = bench._quality(stuck, truth, motion)[2]
    still = bench._quality(stuck, truth, [np.zeros_like(m) for m in motion])[2]
    assert along < 0.6 * still


def test_a_clip_is_measured(tmp_path: Path) -> None:
    clip = make(tmp_path, Clip("a.mkv", size=(64, 96), frames=6))
    rows = list(bench.bench_video([clip], ["bicubic", "swift"], 6, threads=1))
    assert [row.model for row in rows] == ["bicubic", "swift", "swscale bicubic"]
    assert rows[2].psnr == pytest.approx(rows[0].psnr, abs=1.0)
    for row in rows:
        assert row.psnr > 30
        assert row.fps > 0
    for row in rows[:2]:
        assert sum(row.shares) == pytest.approx(1)
    lines = list(bench.table(rows))
    assert len(lines) == 5
    assert lines[2].startswith("| a.mkv | bicubic | ")


def test_luma_is_in_levels_of_8_bits() -> None:
    green, blue, red = (np.full((1, 1), code, np.uint16) for code in (400, 1000, 40))
    assert bench.luma([green, blue, red], Layout(10), (0.299, 0.114)).item() == 100
    y = 0.299 * 40 + 0.587 * 400 + 0.114 * 1000
    rgb = bench.luma([green, blue, red], Layout(10, is_rgb=True), (0.299, 0.114))
    assert rgb.item() == pytest.approx(y / 4, rel=1e-6)


@pytest.mark.parametrize(("form", "more"), [("yuv420p", "yuv420p10le"), ("gray", "gray16le"), ("bgr0", "gbrp10le")])
def test_more_bits_are_measured_as_8_bits_are(tmp_path: Path, form: str, more: str) -> None:
    clips = [Clip("8.mkv", "ffv1", form, (64, 96), 3), Clip("more.mkv", "ffv1", more, (64, 96), 3)]
    eight, _, other, _ = bench.bench_video([make(tmp_path, clip) for clip in clips], ["bicubic"], 3, threads=1)
    for name in ("psnr", "difference_psnr"):  # rounding to whole levels is what 8 bits lose
        assert getattr(eight, name) - 3 < getattr(other, name) < 75
    assert other.flicker < eight.flicker + 0.5


@pytest.mark.parametrize("content", [None, b"\x89PNG nothing"])
def test_files_are_looked_at_before_anything_is_measured(tmp_path: Path, content: bytes | None) -> None:
    clip = make(tmp_path, Clip("a.mkv", frames=2))
    with pytest.raises(UnreadableImage, match=r"nope\.mkv: no such file"):
        next(bench.table(bench.bench_video([clip, tmp_path / "nope.mkv"], ["bicubic"])))
    pytest.importorskip("cv2")
    if content:
        (tmp_path / "nope.pb").write_bytes(content)
    with pytest.raises(BadWeights, match=r"nope\.pb: "):
        next(bench.table(bench.bench_video([clip], ["bicubic"], opencv=tmp_path / "nope.pb")))

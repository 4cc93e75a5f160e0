"""Frames that are exposed differently, or cut off: what is said of their noise, and what they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import read
from subpixel.benchmarks.burst import Setting, make_burst
from subpixel.burst import Fusion, fuse
from subpixel.burst.alignment import Aligned, align
from subpixel.burst.frames import Frame
from subpixel.degradations import Jpeg

Levels = np.ndarray


@pytest.fixture(scope="module")
def frames(examples: Path) -> list[Levels]:
    truth = np.ascontiguousarray(read(examples / "astronaut.jpg").pixels[148:276, 138:266])
    return list(make_burst(truth * np.float32(0.85), Setting("", 5, noise=2), 2, np.random.default_rng(5))[0])


def _fused(frames: list[Levels]) -> Fusion:
    return fuse(frames, 2, psf=0.4, reference=0, model="bicubic")


def test_another_brightness_is_evened_out(frames: list[Levels]) -> None:
    """Not only a factor: an offset was called noise."""
    alike, uneven = _fused(frames), _fused([frame + np.uint8(13 * (k % 3)) for k, frame in enumerate(frames)])
    assert uneven.report.noise == pytest.approx(alike.report.noise, rel=0.15)
    assert np.sqrt(((uneven.image.pixels - alike.image.pixels) ** 2).mean()) < 1 / 255


def test_what_is_cut_off_has_no_noise(frames: list[Levels]) -> None:
    """White and black of equal exposures do not tell it, and what lies beside them did not move."""
    bright = [np.clip(frame * 2.2 - 30, 0, 255).astype(np.uint8) for frame in frames]
    report = _fused(bright).report
    assert Frame.of(bright[0], 0).clipped.mean() > 0.3
    assert 3 < report.noise < 9  # 4.4 and what aliases; it was 0.7
    assert report.moved < 0.02


def test_what_is_cut_off_draws_no_edges(frames: list[Levels]) -> None:
    """An exposure 2.5 times as long is laid on the reference where it belongs: it was 0.16 pixels off."""
    bright = np.clip(frames[1] * 2.5, 0, 255).astype(np.uint8)
    first, plain, longer = (Frame.of(each, k) for k, each in enumerate((frames[0], frames[1], bright)))
    alike, cut = (align(each, each.luma(), first, first.luma()) for each in (plain, longer))
    assert isinstance(alike, Aligned)
    assert isinstance(cut, Aligned)
    places = np.array([8.0, 32, 56]), np.array([8.0, 40, 56])
    assert np.abs(np.subtract(alike.motion(*places), cut.motion(*places))).max() < 0.06


def test_coarse_jpeg_is_not_fused(frames: list[Levels]) -> None:
    """What it took away is the same in no two frames, and is more than they give."""
    rng = np.random.default_rng(0)
    coarse = [np.rint(Jpeg(50).apply(frame / np.float32(255), rng) * 255).astype(np.uint8) for frame in frames]
    report = fuse(coarse, 2, reference=0).report
    assert report.kind == "single"
    assert "JPEG of quality 50 left no detail to fuse: that one enlarged" in report.summary

"""Frames that bend as water and hot air bend them: what registration makes of it, and what is then masked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import read
from subpixel.benchmarks.burst import keys
from subpixel.burst import fuse
from subpixel.burst.alignment import Aligned, align
from subpixel.burst.frames import Frame
from subpixel.burst.motion import Motion, Points
from subpixel.burst.registration import register
from subpixel.color import luma
from subpixel.degradations import GaussianBlur
from subpixel.images import Floats, dequantise, quantise
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.protocol import STANDARD
from subpixel.metrics.psnr import psnr

Levels = np.ndarray


@pytest.fixture(scope="module")
def truth(examples: Path) -> Floats:
    return np.ascontiguousarray(read(examples / "astronaut.jpg").pixels[128:288, 118:278])


def _places(amount: float, seed: int) -> Points:
    """Where the pixels of a frame of 80 x 80 lie: a shift, and waves of 57 to 75 pixels."""
    shift, phase = np.random.default_rng(seed).uniform((-2, -2, 0, 0), (2, 2, 6, 6)).reshape(2, 2)
    y, x = np.mgrid[:80, :80].astype(float)
    across = amount * np.sin(x / 12 + phase[0]) * np.cos(y / 9 + phase[1])
    return (x, y) if not seed else (x + shift[0] + across, y + shift[1] + amount * np.sin(y / 11 + phase[1]))


def _frames(truth: Floats, amount: float, count: int) -> list[Levels]:
    soft, rng = GaussianBlur(0.8).apply(truth, np.random.default_rng(0)), np.random.default_rng(3)
    values = [keys(soft, *(2 * at + 0.5 for at in _places(amount, seed))) for seed in range(count)]
    return [quantise((each + rng.normal(0, 2 / 255, each.shape)).clip(0, 1).astype(np.float32), 8) for each in values]


@pytest.mark.parametrize(("amount", "limit"), [(0.0, 0.03), (0.15, 0.09), (0.5, 0.19)])
def test_places_that_sway_are_followed(truth: Floats, amount: float, limit: float) -> None:
    """Pixels of root mean square; the motion of the whole frame alone is 0.13 and 0.4 px off."""
    still, frame = (luma(dequantise(each)) for each in _frames(truth, amount, 4)[::3])
    found, true, inner = register(frame, still), _places(amount, 3), np.s_[6:-6, 6:-6]
    y, x = np.mgrid[:80, :80].astype(float)
    off = [(a - b)[inner] for a, b in zip(found.motion(x, y), true, strict=True)]
    assert float(np.sqrt((np.array(off) ** 2).sum(axis=0).mean())) < limit
    assert found.sways == bool(amount)


def test_frames_that_sway_gain(truth: Floats) -> None:
    frames, inner = _frames(truth, 0.3, 5), np.s_[16:-16, 16:-16]
    fusion, alone = fuse(frames, 2, psf=0.4, reference=0), dequantise(Upscaler("auto", scale=2)(frames[0]))
    ours, one = (psnr(*STANDARD.prepare(each[inner], truth[inner], 2)) for each in (fusion.image.pixels, alone))
    assert ours > one + 1
    assert "places sway by 0." in fusion.report.summary


def test_a_wobble_is_linear_between_its_nodes() -> None:
    wobble = np.zeros((2, 3, 2))
    wobble[1, 1] = 1, -2
    motion = Motion(np.array([[1.0, 0, 5], [0, 1, 0]]), wobble, height=11, width=21)
    u, v = motion(np.array([10.0, 5, 0, 10]), np.array([10.0, 10, 10, 5]))
    assert u == pytest.approx([16, 10.5, 5, 15.5])
    assert v == pytest.approx([8, 9, 10, 4])


def test_what_is_out_of_place_is_masked(truth: Floats) -> None:
    """A part that moves by half a pixel on texture: 0.35 of its slopes once passed, 0.44 of it were masked."""
    still, shifted = (_frames(truth, 0, 2)[0], _frames(np.roll(truth, 1, axis=1), 0, 2)[0])
    frame = still.copy()
    frame[30:54, 30:54] = shifted[30:54, 30:54]
    first, second = (Frame.of(each, k) for k, each in enumerate((still, frame)))
    aligned = align(second, second.luma(), first, first.luma())
    assert isinstance(aligned, Aligned)
    assert aligned.moved[34:50, 34:50].mean() > 0.5
    assert aligned.moved[:, :20].mean() < 0.1

"""Clips of a camera that moves over photos: their truth is a part of the photo, and their motion what it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from subpixel.datasets import moving
from subpixel.resample import resize


def photo(seed: int = 0, side: int = 120) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pixel of a frame is one of the photo, and the camera moves by 2 down and 3 to the right."""
    steps = np.arange(4)[:, None] * np.array([2.0, 3.0])
    monkeypatch.setattr(moving, "_FINEST", 1.0)
    monkeypatch.setattr(moving, "_COARSEST", 1.0)
    monkeypatch.setattr(moving, "_zoom", lambda frames, _: np.zeros(frames))
    monkeypatch.setattr(moving, "_path", lambda frames, _: steps[:frames])


@pytest.mark.usefixtures("plain")
def test_frames_are_windows_of_the_photo() -> None:
    image = photo()
    frames = moving.view(image, 4, 32, np.random.default_rng(5))
    windows = np.lib.stride_tricks.sliding_window_view(image, (32, 32))
    (y, x), *rest = (np.argwhere((windows == frame).all((2, 3)))[0] for frame in frames)
    assert [(int(b - y), int(a - x)) for b, a in rest] == [(2, 3), (4, 6), (6, 9)]


def test_beyond_its_border_a_photo_goes_on_as_a_mirror_image() -> None:
    levels, places = np.arange(16, dtype=np.uint8).reshape(4, 4), [1, 0, 0, 1, 2, 3, 3, 2]
    assert np.array_equal(moving._window(levels, -2, -2, 8, 8), levels[np.ix_(places, places)])


def test_low_resolution_is_the_benchmarks() -> None:
    image = photo()
    low, high = moving.clip(lambda: image, 3, 5, 16, np.random.default_rng(1))
    assert (low.shape, high.shape) == ((5, 16, 16), (5, 48, 48))
    for reduced, frame in zip(low, high, strict=True):
        assert np.array_equal(reduced, resize(frame, 16, 16))


def test_a_clip_depends_on_its_random_numbers_alone() -> None:
    clips = [moving.clip(lambda: photo(), 2, 3, 16, np.random.default_rng(seed))[1] for seed in (7, 7, 8)]
    assert np.array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[0], clips[2])


def test_some_stand_still_and_some_are_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    still, rng = 0, np.random.default_rng(0)
    for _ in range(200):
        path = moving._path(6, rng)
        still += not path.any()
        assert np.array_equal(path[3], [0, 0])
    assert 8 <= still <= 35  # of 200 a tenth
    monkeypatch.setattr(moving, "_BEFORE", 1.0)
    monkeypatch.setattr(moving, "_SOFT", 0.0)
    given: list[Any] = [np.full((99, 99), level, np.uint8) for level in (255, 0)]
    seen = moving.clip(given.pop, 2, 3, 24, np.random.default_rng(2))[1]
    assert len(np.unique(seen)) == 2  # black, and a disc of white before it


def test_a_soft_lens_spreads_an_edge_by_its_deviation() -> None:
    """The differences along a blurred edge are the marginal of the kernel, whose variance is sigma^2."""
    edge = np.broadcast_to(np.repeat([0, 255], 20).astype(np.uint8), (2, 30, 40))
    soft = moving._softened(edge, 1.2)
    assert (soft.shape, soft.dtype) == (edge.shape, np.uint8)
    weights, places = np.diff(soft[1, 15].astype(float)) / 255, np.arange(39)
    mean = (weights * places).sum()
    assert mean == pytest.approx(19, abs=0.01)
    assert (weights * (places - mean) ** 2).sum() == pytest.approx(1.2**2, rel=0.06)


def test_half_of_the_clips_are_soft(monkeypatch: pytest.MonkeyPatch) -> None:
    deviations = list[float]()
    monkeypatch.setattr(moving, "_softened", lambda seen, sigma: (deviations.append(sigma), seen)[1])
    for seed in range(200):
        moving.clip(photo, 2, 2, 16, np.random.default_rng(seed))
    assert 80 <= len(deviations) <= 120
    assert 0.3 <= min(deviations) < 0.4
    assert 1.5 < max(deviations) <= 1.6

"""Flat colour stays flat up to the corners, by every network of the package; what is not flat is the network's own."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.images import read
from subpixel.inference.flat import REACH, keep_flat
from subpixel.inference.tiles import Span, spans
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape
from subpixel.runtimes import Execution

EXACT = Execution("openvino", "f32", 1)
COLOURS = [*itertools.product((0, 128, 255), repeat=3), (200, 60, 30), (10, 90, 240)]
"""Corners and middles of the cube of colours, where networks that saw photos alone are off; and two more."""


@pytest.mark.parametrize("name", models.of_photos())
def test_a_constant_image_stays_constant_to_one_level(name: str) -> None:
    with Upscaler(name, scale=models.load(name).card.scale, execution=EXACT) as upscaler:
        for colour in COLOURS:
            flat = np.broadcast_to(np.array(colour, np.uint8), (40, 42, 3))  # in the middle no border is near
            error = upscaler(np.ascontiguousarray(flat)).astype(int) - np.array(colour)
            assert np.abs(error).max() <= 1
            assert not error[0, 0].any()


def test_a_white_page_with_a_drawing_has_no_frame() -> None:
    page = np.full((90, 80, 3), 255, np.uint8)
    page[40:50, 35:45] = 0
    for tile in (0, 32):
        large = Upscaler("espcn-x4", tile=tile, execution=EXACT)(page)  # 6 to 9 levels too dark, once
        assert large[[0, -1]].min() == large[:, [0, -1]].min() == 255


def painted(low: np.ndarray, tile: int, scale: int) -> np.ndarray:
    """What `keep_flat` makes of a result of -1, tile by tile."""
    height, width = low.shape[:2]
    high = np.full((height * scale, width * scale, low.shape[2]), -1, low.dtype)
    for row in spans(0, height, tile, REACH, height):
        for column in spans(0, width, tile, REACH, width):
            own = high[row.start * scale : row.stop * scale, column.start * scale : column.stop * scale]
            keep_flat(low[row.low : row.high, column.low : column.high], row, column, REACH, own)
    return high


def expected(low: np.ndarray, scale: int) -> np.ndarray:
    """The same, pixel by pixel."""
    height, width = low.shape[:2]
    high = np.full((height * scale, width * scale, low.shape[2]), -1, low.dtype)
    padded = np.pad(low, ((1, 1), (1, 1), (0, 0)), "edge")
    around = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    changes = np.any([(beside != low).any(-1) for beside in around], axis=0)
    for y in range(height):
        for x in range(width):
            flat = [not changes[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1].any() for r in (6, 8, REACH - 1)]
            share = np.float32(sum(flat) / 3)
            high[y * scale : (y + 1) * scale, x * scale : (x + 1) * scale] = share * low[y, x] - (1 - share)
    return high


@pytest.mark.parametrize("tile", [100, 23, 7])
@pytest.mark.parametrize("size", [(70, 61), (30, 9), (1, 1), (5, 80)])
def test_what_is_flat_is_the_same_in_tiles(size: tuple[int, int], tile: int) -> None:
    rng = np.random.default_rng(sum(size))
    for specks in (0, 1, 3):
        low = np.full((*size, 3), 0.25, np.float32)
        for y, x in zip(rng.integers(0, size[0], specks), rng.integers(0, size[1], specks), strict=True):
            low[y, x, rng.integers(3)] = 0.5
        got, want = painted(low, tile, 2), expected(low, 2)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
        assert (got == 0.25).any() or specks


def test_the_smallest_that_is_flat_is_found_in_each_corner() -> None:
    """Eight pixels a side but for one, in noise: one block of four that begins at a multiple of four is whole there."""
    noise = np.random.default_rng(0).random((15, 15, 3), np.float32)
    noise[7:, 7:] = 0.25
    noise[7, 7] = 0.5
    for turn in range(4):
        low = np.rot90(noise, turn)
        want = expected(low, 2)
        assert np.isclose(want, 0.25 / 3 - 2 / 3).all(-1).sum() == 4
        np.testing.assert_allclose(painted(low, 100, 2), want, rtol=0, atol=1e-6)


def test_photos_are_left_to_the_network(examples: Path) -> None:
    low = read(examples / "chelsea.jpg").pixels
    size = low.shape[:2]
    high = np.full_like(low, -1)
    keep_flat(low, Span(0, size[0], 0, size[0]), Span(0, size[1], 0, size[1]), REACH, high)
    assert (high == -1).all()


def test_auto_is_bf16_for_8_bits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.runtimes.openvino_.computes_in_bf16", lambda: True)
    upscaler = Upscaler("espcn-x2")
    for dtype, alpha, precision in (
        ("uint8", False, "bf16"), ("uint8", True, "bf16"), ("uint16", False, "f32"), ("float32", True, "f32")
    ):  # fmt: skip
        assert upscaler.prepare(Shape(9, 7, 3, alpha, dtype)).steps[0].runtime.precision == precision
    forced = Upscaler("espcn-x2", execution=Execution(precision="bf16"))
    assert forced.prepare(Shape(9, 7, 3, False, "uint16")).steps[0].runtime.precision == "bf16"

"""Cutting images into tiles, counted by hand and by brute force."""

from __future__ import annotations

import pytest

from subpixel.inference.tiles import SMALLEST, Span, automatic, footprint, halved, spans


def test_spans_of_a_hand_counted_case() -> None:
    assert spans(0, 10, 4, 2, 10) == [Span(0, 3, 0, 5), Span(3, 6, 1, 8), Span(6, 10, 4, 10)]


def test_a_part_of_an_axis_has_its_halo_outside_the_part() -> None:
    assert spans(10, 20, 5, 3, 100) == [Span(10, 15, 7, 18), Span(15, 20, 12, 23)]


@pytest.mark.parametrize("tile", [1, 2, 7, 64, 1000])
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 129])
def test_spans_cover_once_and_are_equal(length: int, tile: int) -> None:
    cut = spans(0, length, tile, 5, length)
    assert [i for s in cut for i in range(s.start, s.stop)] == list(range(length))
    sizes = {s.stop - s.start for s in cut}
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= tile
    assert len(cut) == -(-length // tile)  # no more than necessary


def test_tiles_begin_at_multiples_counted_from_the_corner() -> None:
    assert spans(0, 22, 9, 4, 22, 4) == [Span(0, 8, 0, 12), Span(8, 16, 4, 20), Span(16, 22, 12, 22)]
    assert spans(0, 9, 3, 4, 9, 4) == [Span(0, 4, 0, 8), Span(4, 8, 0, 9), Span(8, 9, 4, 9)]  # at least one multiple


def test_windows_of_one_size_move_inwards_up_to_a_multiple() -> None:
    first, last = Span(0, 96, 0, 192), Span(200, 297, 112, 297)  # 185 of 192: moved by multiples of 8 only
    assert spans(0, 297, 128, 32, 297, 8, 192) == [first, Span(96, 200, 64, 256), last]
    assert spans(0, 100, 128, 32, 100, 8, 192) == [Span(0, 100, 0, 100)]


def test_halving_ends_at_the_smallest() -> None:
    assert halved((1000, 40)) == (500, 32)
    assert halved((33, 8)) == (32, 8)
    assert halved((SMALLEST, SMALLEST)) is None
    assert halved((8, 8)) is None


def test_footprint_counts_bytes() -> None:
    assert footprint(32, 2) == 4 * (3 * 32 + 2 * 3 * 5)


def test_an_image_that_fits_is_one_tile() -> None:
    assert automatic(1080, 1920, 9, 1080 * 1920, 1080) == (1080, 1920)
    assert automatic(1, 1, 9, 10**6, 10**6) == (1, 1)
    assert automatic(1, 5000, 9, 10**6, 10**6) == (1, 5000)


@pytest.mark.parametrize("halo", [0, 4, 36, 200])
@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (10_000, 10_000), (333, 7001)])
def test_automatic_tiles_keep_to_the_memory_and_waste_little(height: int, width: int, halo: int) -> None:
    pixels, rows = 10**6, 500
    tall, wide = automatic(height, width, halo, pixels, rows)
    down, across = spans(0, height, tall, halo, height), spans(0, width, wide, halo, width)
    windows = [(r.high - r.low) * (c.high - c.low) for r in down for c in across]
    assert tall <= rows
    assert max(windows) <= pixels
    square = int(pixels**0.5) - 2 * halo  # the naive choice
    naive = [
        (r.high - r.low) * (c.high - c.low)
        for r in spans(0, height, min(square, rows), halo, height)
        for c in spans(0, width, square, halo, width)
    ]
    assert sum(windows) <= sum(naive)


def test_automatic_without_memory_is_the_smallest_tile() -> None:
    assert automatic(500, 500, 9, 10, 500) == (SMALLEST, SMALLEST)
    assert automatic(500, 500, 9, 10**6, 0) == (SMALLEST, SMALLEST)
    assert automatic(20, 500, 9, 10, 500) == (20, SMALLEST)

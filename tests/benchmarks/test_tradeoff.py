"""Quality against cost: what is timed, and what is drawn where."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from measured_models import BICUBIC, LARGE, SMALL, report

from subpixel import models
from subpixel.benchmarks import tradeoff
from subpixel.benchmarks.tradeoff import Point, draw, table
from subpixel.errors import MissingExtra


def test_whole_calls_of_models_and_kernels_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tradeoff, "RESULT", (48, 60))
    points = tradeoff.tradeoff(report(espcn_x3=32.0), "Set14", runs=1)
    by_name = {p.name: p for p in points}
    card = models.load("espcn-x3").card
    assert [p.seconds for p in points] == sorted(p.seconds for p in points)
    assert 0 < by_name["espcn-x3"].seconds < 5
    assert (by_name["espcn-x3"].psnr, by_name["espcn-x3"].macs) == (32.0, card.macs)
    assert (by_name["bicubic"].macs, by_name["bicubic"].psnr) == (None, 30.0)


def test_the_table() -> None:
    head, _, *lines = table([SMALL, BICUBIC], "Set5").splitlines()
    assert "mean over Set5, in f32" in head
    assert "1920x1080" in head
    assert lines[2:] == ["| espcn-x3 | x3 | 32.00 | 100 | 2,739 | 22,729 |", "| bicubic | x3 | 30.00 | 400 |  |  |"]


def test_points_lie_where_their_numbers_say() -> None:
    """Left panel: bicubic is slower than the small model and below it; found by the colours of the families."""
    drawn = draw([BICUBIC, SMALL, LARGE], "Set5").to_array().astype(int)
    half = drawn[:, : drawn.shape[1] // 2]

    def dot(colour: str) -> tuple[float, float]:
        """The middle of the largest row of one colour: a point is 12 pixels wide, letters are thinner."""
        rgb = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        hits = (half == rgb).all(axis=2)
        solid = np.lib.stride_tricks.sliding_window_view(hits, (7, 7)).all(axis=(2, 3))
        y, x = np.argwhere(solid).mean(axis=0)
        return float(x), float(y)

    (bx, by), (sx, sy), (lx, ly) = (dot(colour) for colour in tradeoff._COLOURS[:3])  # families in order of the names
    assert sx < lx < bx
    assert by > sy > ly
    assert (lx - sx) / (bx - sx) == pytest.approx(np.log(3) / np.log(4), abs=0.02)
    assert (by - sy) / (by - ly) == pytest.approx(2 / 3.5, abs=0.02)


def test_one_point_is_enough() -> None:
    assert draw([SMALL], "Set5").width > 1000
    assert draw([BICUBIC], "Set5").width > 1000


def test_names_cover_neither_each_other_nor_a_point() -> None:
    near = [Point(f"net{k}-x3", 3, 32 + k / 20, 0.1 + k / 1000, 2000.0 + 20 * k, 1) for k in range(3)]
    left, right = tradeoff._canvas([*near, BICUBIC], "Set5").figure.axes
    places = {p: (1000 * p.seconds, p.psnr) for p in [*near, BICUBIC]}, {p: (p.macs or 0, p.psnr) for p in near}
    for axes, points in zip((left, right), places, strict=True):
        names = {text.get_text(): text.get_window_extent() for text in axes.texts}
        dots = [tradeoff._dot(axes, *where) for where in points.values()]
        assert set(names) == {"net0", "net1", "net2", "bicubic"}
        assert not any(one.overlaps(other) for one, other in combinations(names.values(), 2))
        assert not any(name.count_overlaps(dots) for name in names.values())
        assert all(axes.bbox.count_contains(name.corners()) == 4 for name in names.values())


def test_the_same_numbers_give_the_same_image_whatever_the_users_style() -> None:
    import matplotlib

    expected = draw([BICUBIC, SMALL, LARGE], "Set5").to_array()
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 20}):
        assert np.array_equal(draw([BICUBIC, SMALL, LARGE], "Set5").to_array(), expected)


def test_without_matplotlib_the_chart_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tradeoff, "installed", lambda name: name != "matplotlib")
    with pytest.raises(MissingExtra, match=r"^matplotlib is not installed; run: pip install 'subpixel\[plot\]'$"):
        draw([SMALL], "Set5")
    assert table([SMALL], "Set5").count("\n") == 5

"""Quality against cost: what is timed, what is drawn where, and the page of the models."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.benchmarks import tradeoff
from subpixel.benchmarks.speed import interleaved
from subpixel.benchmarks.tradeoff import Point, draw, table
from subpixel.errors import DataError, MissingExtra, UnwritableImage
from subpixel.evaluation.report import Published, Report, Row
from subpixel.images import read
from zoo import gallery, models_page

ROOT = Path(__file__).parents[2]
SETS = ("Set5", "Set14")


def report(**psnr: float) -> Report:
    """A report with the PSNR of models (as keywords, _ for -) and bicubic 30 at x3, alike on two sets."""
    values = {"bicubic": 30.0} | {name.replace("_", "-"): value for name, value in psnr.items()}
    rows = [
        Row(name, dataset, 3, "a", metric, value)
        for dataset in SETS
        for name, value in values.items()
        for metric, value in (("psnr", value), ("ssim", value / 100))
    ]
    beside = (Published("espcn-x3", "Set5", 3, "psnr", 32.55, "PAPER"),)
    return Report("PROTOCOL", "DEGRADATION", tuple(rows), beside, ("A note.",))


BICUBIC = Point("bicubic", 3, 30.0, 0.4, None, 0)
SMALL = Point("espcn-x3", 3, 32.0, 0.1, 2739.0, 22_729)
LARGE = Point("swift-x3", 3, 33.5, 0.3, 11_200.0, 101_531)


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


# --- the page of the models


def test_a_model_that_loses_is_named() -> None:
    points = [SMALL, LARGE, BICUBIC]
    (sentence,) = models_page.dominated(report(espcn_x3=32.0, swift_x3=31.9), points)
    assert sentence.startswith("- **swift-x3** loses to espcn-x3: smaller, faster")
    (nobody,) = models_page.dominated(report(espcn_x3=32.0, swift_x3=33.5), points)
    assert nobody.startswith("No model loses")


def test_who_is_slower_larger_or_of_another_scale_beats_nobody() -> None:
    better = report(espcn_x3=34.0, swift_x3=33.5)
    slow = Point("espcn-x3", 3, 34.0, 0.5, 2739.0, 22_729)
    big = Point("espcn-x3", 3, 34.0, 0.1, 2739.0, 200_000)
    for point in (slow, big):
        assert models_page.dominated(better, [point, LARGE])[0].startswith("No model loses")
    assert models_page.dominated(better, [SMALL, LARGE])[0].startswith("- **swift-x3**")


def test_the_page_has_everything() -> None:
    page = models_page.markdown(report(espcn_x3=32.0, swift_x3=33.5), [SMALL, LARGE, BICUBIC])
    card = models.load("espcn-x3").card
    assert "Protocol: PROTOCOL. Degradation: DEGRADATION." in page
    assert "A note." in page
    assert "| espcn-x3 | x3 | 22,729 | 2,739 | 100 | 32.00 (0.3200) | 32.00 (0.3200) |" in page
    assert "| bicubic | x3 |  |  | 400 | 30.00 (0.3000) | 30.00 (0.3000) |" in page
    assert "| espcn-x3 | Set5 | PSNR | 32.00 | 32.55 | -0.55 | PAPER |" in page
    trained = f"{card.steps:,} | {card.hours:.1f} | {card.recipe} | {card.data} | {card.licence}"
    assert f"| espcn-x3 | {card.paper} | {trained} |" in page
    assert "images/tradeoff.png" in page


def test_the_page_in_the_docs_names_every_model_with_its_cards_score() -> None:
    page = (ROOT / "docs/zoo.md").read_text("utf-8").splitlines()
    for name in models.enlarging():
        card = models.load(name).card
        line = next((line for line in page if line.startswith(f"| {name} | x{card.scale} |")), "")
        scores = [f"{card.score(s):.2f} ({card.score(s, 'ssim'):.4f})" for s in models_page.SETS]
        assert line.split(" | ")[5:] == [*scores[:2], f"{scores[2]} |"], f"{name}: run python -m zoo.models_page"


def test_the_page_lists_perceptual_distances_from_the_best_where_there_are_some() -> None:
    base = report(espcn_x3=32.0, swift_x3=33.5)
    assert "Perceptual" not in models_page.markdown(base, [SMALL, LARGE])
    rows = [Row(m, d, 3, "", "lpips", v) for m, v in (("espcn-x3", 0.3), ("swift-x3", 0.25)) for d in ("Set14", "Set5")]
    page = models_page.markdown(replace(base, rows=(*base.rows, *rows)), [SMALL, LARGE])
    assert "| model | Set5 | Set14 |\n|---|---|---|\n| swift-x3 | 0.2500 | 0.2500 |\n| espcn-x3 | 0.3000" in page


def test_cards_make_a_report_of_the_sets_under_the_same_protocol() -> None:
    card = models.load("espcn-x3").card
    protocol = next(s.protocol for s in card.scores if s.dataset == "Set5")
    made = models_page.of_cards([card], Report(protocol, "bicubic", ()))
    assert made.mean("espcn-x3", "Set5", 3, "psnr") == card.score("Set5")
    assert {m.dataset for m in made.means()} == {"Set5", "Set14", "BSD100"}
    mean = next(m for m in made.means() if (m.dataset, m.metric) == ("Set14", "psnr"))
    assert (mean.published, mean.source) == (29.08, "SRGANPT")
    assert not models_page.of_cards([card], Report("RGB", "bicubic", ())).rows


def test_slow_calls_are_timed_fewer_times() -> None:
    times = interleaved({"slow": lambda: time.sleep(0.02), "fast": lambda: None}, 4, patience=0.03)
    assert (len(times["slow"]), len(times["fast"])) == (2, 4)


def test_a_page_is_complete_or_absent(tmp_path: Path) -> None:
    with pytest.raises(UnwritableImage, match="no such file"):
        models_page.write_page(tmp_path / "none/zoo.md", "text")
    assert models_page.write_page(tmp_path / "zoo.md", "text").read_text() == "text"
    assert [p.name for p in tmp_path.iterdir()] == ["zoo.md"]


# --- the gallery


def test_the_gallery_is_made(tmp_path: Path) -> None:
    path = gallery.write_gallery(ROOT / "examples", tmp_path, 4)
    text = path.read_text("utf-8")
    assert text.count("](images/gallery-") == len(gallery.DETAILS) == 5
    assert "the reduced input, bicubic" in text
    assert "swift-x4, srgan-x4 and the original" in text
    assert "Rachel Michetti" in text
    assert "Clemens Engelhardt" not in text  # not shown: the networks were trained on it
    assert all(box.width >= 4 * 96 for _, _, box in gallery.DETAILS.values())
    assert read(tmp_path / "images/gallery-fur.webp").width > 1500
    assert sum(p.stat().st_size for p in (tmp_path / "images").iterdir()) < 2_300_000


def test_a_gallery_without_photos_or_credits(tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    with pytest.raises(DataError, match="cannot read the credits"):
        gallery.write_gallery(tmp_path / "crops", tmp_path)
    (tmp_path / "crops/CREDITS.md").write_text("| a |")
    with pytest.raises(DataError, match=r"no .*astronaut\.jpg; expected the photos of examples"):
        gallery.write_gallery(tmp_path / "crops", tmp_path)


def test_the_images_in_the_docs_are_small() -> None:
    files = list((ROOT / "docs/images").iterdir())
    assert {f"gallery-{name}.webp" for name in gallery.DETAILS} | {"tradeoff.png"} <= {p.name for p in files}
    assert sum(p.stat().st_size for p in files) < 2_500_000

"""The page of the models: what it says, and of whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from measured_models import BICUBIC, LARGE, SMALL, report

from subpixel import models
from subpixel.benchmarks.tradeoff import Point
from subpixel.errors import UnwritableImage
from subpixel.evaluation.report import Report, Row
from zoo import models_page

ROOT = Path(__file__).parents[2]


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


def test_a_page_is_complete_or_absent(tmp_path: Path) -> None:
    with pytest.raises(UnwritableImage, match="no such file"):
        models_page.write_page(tmp_path / "none/zoo.md", "text")
    assert models_page.write_page(tmp_path / "zoo.md", "text").read_text() == "text"
    assert [p.name for p in tmp_path.iterdir()] == ["zoo.md"]

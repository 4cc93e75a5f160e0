"""What a name stands for in a benchmark, and scores that are written into cards."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.benchmarks.candidates import candidate, candidates, write_cards
from subpixel.errors import DataError, UnknownName
from subpixel.evaluation.report import Report, Row
from subpixel.images import Image
from subpixel.models import store
from subpixel.resample import resize

LOW = Image(np.random.default_rng(0).random((8, 10, 3), np.float32))


def test_models_families_and_kernels() -> None:
    one, family, longer = candidate("swift-x3"), candidate("swift", 3), candidate("swift-x2", 4)
    assert (one.name, one.scale, one.paper) == (family.name, family.scale, family.paper) == ("swift-x3", 3, "swift")
    assert (longer.name, longer.scale, longer.paper) == ("swift-x2", 4, "")
    assert candidate("swift").scale == 2
    assert np.array_equal(one.upscale(LOW).pixels, family.upscale(LOW).pixels)
    assert longer.upscale(LOW).pixels.shape == (32, 40, 3)
    bicubic = candidate("bicubic", 3)
    expected = np.clip(resize(LOW.pixels, 24, 30), 0, 1)
    assert np.allclose(bicubic.upscale(LOW).pixels, expected, atol=1e-6)
    assert (candidate("lanczos").name, candidate("lanczos").scale) == ("lanczos", 2)


def test_a_training_runs_folder_stands_for_its_model(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds neither a model nor a checkpoint"):
        candidate(str(tmp_path))
    shutil.copyfile(store.FOLDER / "espcn-x3.onnx", tmp_path / "mine.onnx")
    mine = candidate(str(tmp_path))
    assert (mine.name, mine.scale, mine.paper) == ("mine.onnx", 3, "espcn")
    assert np.array_equal(mine.upscale(LOW).pixels, candidate("espcn-x3").upscale(LOW).pixels)


def test_a_file_is_not_taken_for_the_model_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a network from elsewhere for the one that a paper's numbers are of."""
    (shipped := tmp_path / "package").mkdir()
    shutil.copyfile(store.FOLDER / "espcn-x3.onnx", shipped / "espcn-x3.onnx")
    monkeypatch.setattr(store, "FOLDER", shipped)
    theirs = models.load("espcn-x3")
    foreign = store.with_card(store.parse(theirs.path, theirs.graph), theirs.card.model_copy(update={"arch": "other"}))
    (tmp_path / "espcn-x3.onnx").write_bytes(foreign)
    mine, named = candidate(str(tmp_path / "espcn-x3.onnx")), candidate("ESPCN_x3")
    assert (mine.name, mine.paper) == ("espcn-x3.onnx", "")
    assert (named.name, named.paper) == ("espcn-x3", "espcn")
    write_cards(Report("PROTOCOL", "bicubic", (Row(mine.name, "Set5", 3, "a", "psnr", 11.0),)))
    assert models.load("espcn-x3").card == theirs.card


def test_unknown_names() -> None:
    with pytest.raises(UnknownName, match="did you mean 'swift-x2'"):
        candidate("swft-x2")
    with pytest.raises(UnknownName, match="did you mean 'bicubic'"):
        candidate("bicubc")
    with pytest.raises(
        UnknownName, match=r"unknown model 'nope'; known: bicubic, bilinear, carn, .*, swift, swift-deblur, "
    ):
        candidate("nope", 3)


def test_by_default_everything_and_bicubic_at_each_scale() -> None:
    found = candidates(None)
    scales = sorted({models.load(name).card.scale for name in models.enlarging()})
    assert [(c.name, c.scale) for c in found[: len(scales)]] == [("bicubic", scale) for scale in scales]
    assert [c.name for c in found[len(scales) :]] == models.enlarging()
    assert [c.name for c in candidates(["bicubic"])] == ["bicubic"]


def test_new_scores_replace_their_like_and_leave_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(store.FOLDER / "espcn-x3.onnx", tmp_path / "espcn-x3.onnx")
    monkeypatch.setattr(store, "FOLDER", tmp_path)
    old = models.load("espcn-x3").card
    rows = (
        Row("espcn-x3", "Set5", 3, "a", "psnr", 11.0),
        Row("espcn-x3", "Set5", 3, "b", "psnr", 12.0),
        Row("espcn-x3", "Mine", 3, "a", "psnr", 7.0),
        Row("bicubic", "Mine", 3, "a", "psnr", 8.0),
    )
    write_cards(Report("PROTOCOL", "bicubic", rows))
    card = models.load("espcn-x3").card
    assert (card.score("Set5"), card.score("Mine")) == (11.5, 7.0)
    assert card.score("Set14") == old.score("Set14")
    assert card.score("Set5", "ssim") == old.score("Set5", "ssim")
    assert len(card.scores) == len(old.scores) + 1
    assert card.sha256 == old.sha256

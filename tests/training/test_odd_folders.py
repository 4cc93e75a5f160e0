"""Names that are not UTF-8, run folders among the images, damaged logs and caches: told at once, or no matter."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from wavy_photos import held_out, write_photos

from subpixel.datasets import sources
from subpixel.datasets.packed import pack
from subpixel.degradations import classical
from subpixel.errors import DataError, RecipeError
from subpixel.models import Score
from subpixel.resample import resize
from subpixel.training import loop, recipe, run
from subpixel.training.recipe import Recipe
from subpixel.training.validation_set import ValidationSet

RECIPE = """
name = "tiny-x2"
arch = "espcn"
steps = 4
validate_every = 2
[config]
scale = 2
[data]
patch = 8
batch = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_photos(tmp_path, 48, 56)


@pytest.fixture
def settings(tmp_path: Path) -> Recipe:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return recipe.load(tmp_path / "recipe.toml")


def test_a_name_that_is_not_utf8_has_a_digest(folder: Path) -> None:
    (folder / "0.png").rename(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))
    assert sources.digest(folder) == sources.digest(folder)
    before = sources.digest(folder)
    (folder / "1.png").unlink()
    assert sources.digest(folder) != before


@pytest.mark.parametrize("name", ["held\u3000out", "held\nout", os.fsdecode(b"held\xff")])
def test_any_name_of_a_folder_can_stand_in_a_card(folder: Path, name: str) -> None:
    images = held_out(folder).rename(folder.with_name(name))
    found = ValidationSet.find(images, 2, classical(2))
    assert Score(dataset=found.name, metric="psnr", value=30.0, protocol="Y").dataset.startswith("held")


@pytest.mark.parametrize("written", ["photos/runs/a", "held-out", "link/a"])
def test_a_run_among_the_images_is_refused(folder: Path, settings: Recipe, written: str) -> None:
    """Its samples show what is held out; the next start would train on them."""
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(RecipeError, match=rf"^--run: .*{written} lies in .*; name another$"):
        run.run(settings, folder, held_out(folder), folder.parent / written)
    with pytest.raises(RecipeError, match=rf"^--cache: .*{written} lies in .*; name another$"):
        run.run(settings, folder, held_out(folder), folder.parent / "run", cache=folder.parent / written)
    assert not (folder.parent / "run").exists()


def test_a_subject_that_no_card_takes_is_refused_at_once() -> None:
    with pytest.raises(RecipeError, match=r"^--set: subject: .* is no line of text$"):
        recipe.load("swift-x2", {"subject": "\u202e"})


def test_damaged_lines_of_a_log_are_dropped(folder: Path, settings: Recipe, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    log = tmp_path / "run/log.jsonl"
    log.parent.mkdir()
    log.write_bytes(b'{"step": 1, "psnr": 1.0}\n{"st\n\n\xff\n{}\n5\nnull\n{"step": []}\n' + b"[" * 10**5 + b"\n")
    pairs = sources.pairs(folder, 2, resize, tmp_path / "cache")
    loop.train(settings, {2: pairs}, log.parent, validate=lambda network, step: {"psnr": float(step)})
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["step"], line["psnr"]) for line in lines] == [(1, 1.0), (2, 2.0), (4, 4.0)]


@pytest.mark.parametrize(
    "index", ["{}", "null", "[[1, 2]]", '[["a", 1, 1, 1]]', "[[1e400, 1, 1, 1]]", f"[[{10**99}, 1, 1, 1]]"]
)
def test_a_damaged_index_of_a_cache_is_written_anew(tmp_path: Path, index: str) -> None:
    images = [np.full((3 + k, 4, 3), k, np.uint8) for k in range(3)]
    pack("abc", images.__getitem__, tmp_path, "key")
    next(tmp_path.glob("*.json")).write_text(index)
    packed = pack("abc", images.__getitem__, tmp_path, "key")
    assert all(np.array_equal(packed[k], image) for k, image in enumerate(images))


def test_another_recipes_folder_is_refused_before_anything_is_packed(
    folder: Path, settings: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    pairs = sources.pairs(folder, 2, resize, tmp_path / "cache")
    loop.train(settings, {2: pairs}, tmp_path / "run", validate=lambda network, step: {"psnr": float(step)})
    monkeypatch.setattr(run, "_patch_sources", None)
    other = recipe.load(tmp_path / "recipe.toml", {"data.batch": 2})
    with pytest.raises(DataError, match=r"belongs to another recipe: data\.batch was 1 and is 2"):
        run.run(other, folder, held_out(folder), tmp_path / "run")

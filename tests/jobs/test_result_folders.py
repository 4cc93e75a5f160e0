"""Folders of results: made with those above them, and gone again where they stayed empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from subpixel.errors import UnwritableImage
from subpixel.jobs.folders import make_folder, remove_empty


def test_what_was_made_is_told_and_goes_where_it_is_empty(tmp_path: Path) -> None:
    made = make_folder(tmp_path / "a/b/c")
    assert made == [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]
    (tmp_path / "a/kept").touch()
    remove_empty(made)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "kept"]
    assert make_folder(tmp_path / "a") == []


def test_nothing_is_left_of_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableImage, match=r"file: it is no folder; expected one"):
        make_folder(tmp_path / "file")
    with pytest.raises(UnwritableImage, match="the folder cannot be made: file name too long"):
        make_folder(tmp_path / "new" / ("x" * 300))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

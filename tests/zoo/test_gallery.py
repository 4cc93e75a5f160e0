"""The gallery: its photos, its credits, and what its images weigh."""

from __future__ import annotations

from pathlib import Path

import pytest

from subpixel.errors import DataError
from subpixel.images import read
from zoo import gallery

ROOT = Path(__file__).parents[2]


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

"""The builder of the training tiles: what is rebuilt is verified, what is not there is named."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo import build

ZOO = Path(__file__).parents[2] / "zoo"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """One photo at full size, one that is reduced."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "sources/a"
    folder.mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (600, 700, 3), np.uint8)).save(folder / "whole.png")
    Image.fromarray(rng.integers(0, 256, (980, 1000), np.uint8)).save(folder / "gray.png")
    return tmp_path / "sources"


def tiles(sources: Path) -> list:
    whole = np.asarray(Image.open(sources / "a/whole.png"))[80:592, 188:700]
    gray = Image.open(sources / "a/gray.png").convert("RGB").resize((660, 647), Image.Resampling.LANCZOS)
    reduced = np.asarray(gray)[100:612, 7:519]

    def tile(name: str, file: str, scale: float, y: int, x: int, pixels: np.ndarray):
        sha = hashlib.sha256(pixels.tobytes()).hexdigest()
        return build.Tile(
            name, "Source A", "CC BY 4.0 (said so)", "Ann; photo id 7", f"train/a/{file}", scale, y, x, sha
        )

    return [tile("t0", "whole.png", 1.0, 80, 188, whole), tile("t1", "gray.png", 0.66, 100, 7, reduced)]


def test_tiles_are_rebuilt_to_the_last_bit(sources: Path, tmp_path: Path) -> None:
    wanted, target = tiles(sources), tmp_path / "tiles"
    assert build.build(wanted, sources, target) == []
    assert sorted(p.name for p in target.iterdir()) == ["manifest.csv", "t0.png", "t1.png"]
    expected = np.asarray(Image.open(sources / "a/whole.png"))[80:592, 188:700]
    assert np.array_equal(np.asarray(Image.open(target / "t0.png")), expected)
    assert (target / "manifest.csv").read_bytes() == (ZOO / "manifest.csv").read_bytes()


def test_what_is_there_is_kept_and_what_is_damaged_made_anew(sources: Path, tmp_path: Path) -> None:
    wanted, target = tiles(sources), tmp_path / "tiles"
    build.build(wanted, sources, target)
    (target / "t0.png").write_bytes(b"half a file")
    (sources / "a/gray.png").unlink()
    assert build.build(wanted, sources, target) == []
    assert (target / "t0.png").stat().st_size > 1000


def test_what_is_missing_other_or_broken_is_named(sources: Path, tmp_path: Path) -> None:
    wanted, target = tiles(sources), tmp_path / "tiles"
    (sources / "a/whole.png").unlink()
    Image.new("RGB", (1000, 980)).save(sources / "a/gray.png")
    missing, other = build.build(wanted, sources, target)
    assert missing == f"missing: {sources / 'a/whole.png'} (Source A), for t0"
    assert other.startswith(f"different: {sources / 'a/gray.png'} does not give the pixels of t1")
    (sources / "a/gray.png").write_bytes(b"no image")
    assert build.build(wanted, sources, target)[1].startswith("unreadable: ")
    assert not list(target.glob("*.png"))


def test_the_scale_is_rounded_in_the_manifest() -> None:
    """2200 / 4352 stands there as 0.5055; with the latter, 1237 rows would come out instead of 1238."""
    assert build._reduced(Image.new("RGB", (4352, 2448)), 0.5055).size == (2200, 1238)
    assert build._reduced(Image.new("RGB", (3088, 2056)), 0.66).size == (2038, 1357)


def test_the_page_of_credits(sources: Path) -> None:
    page = build.credit_page(tiles(sources))
    assert "2 tiles of 2 photos" in page
    assert "## [CC-BY-4.0](https://creativecommons.org/licenses/by/4.0/)" in page
    assert "| Ann | Source A (said so) | gray, whole | 2 |" in page


def test_the_page_in_the_repository_is_the_manifests() -> None:
    wanted = build.manifest()
    assert len(wanted) == 558
    assert (ZOO / "CREDITS.md").read_text("utf-8") == build.credit_page(wanted)


def test_as_a_script(tmp_path: Path) -> None:
    command = [sys.executable, ZOO / "build.py", "tiles", tmp_path / "none", tmp_path / "tiles"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == f"0 of 558 tiles are in {tmp_path / 'tiles'}; 285 problems\n"
    assert len(done.stdout.splitlines()) == 285

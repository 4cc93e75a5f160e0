"""The lattice of JPEG in pixels: tables, quality, phase, and no false alarms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from subpixel.analysis import jpeg
from subpixel.analysis.inspection import file_quality


@pytest.fixture(scope="module")
def photo(examples):
    """A photo that shows no traces of its own file: reduced by 2."""
    return np.asarray(Pillow.open(examples / "coffee.jpg").reduce(2).convert("RGB"))


def _file(levels, **options):
    file = io.BytesIO()
    Pillow.fromarray(levels).save(file, "JPEG", **options)
    return file.getvalue()


def _decoded(levels, **options):
    return np.asarray(Pillow.open(io.BytesIO(_file(levels, **options))))


def _found(levels):
    levels = levels if levels.ndim == 3 else levels[..., None]
    return jpeg.find_grid(levels[None].astype(np.float32))


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 75, 92, 100])
def test_the_tables_are_those_of_libjpeg(photo, quality):
    with Pillow.open(io.BytesIO(_file(photo[:16, :16], quality=quality))) as opened:
        assert opened.quantization[0] == jpeg.table(quality).tolist()
    assert jpeg.quality_of(jpeg.table(quality)) == quality


@pytest.mark.parametrize(
    ("quality", "y", "x"), [(20, 0, 0), (35, 3, 1), (60, 7, 5), (75, 2, 8), (85, 9, 6), (90, 4, 4)]
)
@pytest.mark.parametrize("subsampling", [0, 2])
def test_quality_and_phase_of_a_crop(photo, quality, y, x, subsampling):
    grid = _found(_decoded(photo, quality=quality, subsampling=subsampling)[y:, x:])
    assert (grid.quality, grid.phase) == (quality, (-y % 8, -x % 8))


def test_gray_and_a_long_strip(photo):
    gray = _decoded(photo[:48, :, 1], quality=70)
    assert (_found(gray).quality, _found(gray).phase) == (70, (0, 0))


def test_the_tables_of_another_program_are_told_by_the_nearest_quality(photo):
    steps = np.clip(jpeg.table(60) + np.tile([1, -1], 32), 1, 255)
    grid = _found(_decoded(photo, qtables=[steps.tolist(), steps.tolist()]))
    assert abs(grid.quality - jpeg.quality_of(steps)) <= 2


def test_no_false_alarms(photo):
    rng = np.random.default_rng(0)
    flat = np.full((64, 64, 3), 128, np.uint8)
    tiles = np.repeat(np.repeat(rng.integers(0, 256, (16, 16, 3), np.uint8), 8, axis=0), 8, axis=1)
    lines = np.where(np.arange(128) % 8 < 3, 255, 0).astype(np.uint8)
    noise = np.clip(photo + rng.normal(0, 8, photo.shape), 0, 255).astype(np.uint8)
    for levels in (photo, photo[:, :, 0], flat, tiles, np.tile(lines, (128, 1)), noise):
        assert _found(levels) is None


def test_too_small_for_a_grid():
    assert _found(np.zeros((20, 400, 3), np.uint8)) is None


def test_the_tables_of_a_file_are_read_without_decoding(photo, tmp_path):
    block = _file(photo, quality=83)
    (tmp_path / "a.jpg").write_bytes(block[: len(block) // 2])  # no decoder would take it
    assert file_quality(tmp_path / "a.jpg") == 83
    assert file_quality(block) == 83
    Pillow.fromarray(photo).save(tmp_path / "a.png")
    assert file_quality(tmp_path / "a.png") is None
    assert file_quality(tmp_path / "none.jpg") is None

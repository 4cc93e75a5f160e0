"""The lattice of JPEG in pixels: tables, quality, phase, and no false alarms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from subpixel.analysis import jpeg
from subpixel.images import open_image
from subpixel.images.jpeg import _quantisation


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
    return jpeg.find_grid(jpeg.Traces(levels[None].astype(np.float32)))


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


@pytest.mark.parametrize("options", [{"quality": 1}, {"quality": 50}, {"quality": 83, "progressive": True}])
def test_the_table_of_a_file_is_what_pillow_reads(photo, options, tmp_path):
    block = _file(photo, **options)
    table = open_image(block).quantisation
    assert table is not None
    assert list(table) == list(Pillow.open(io.BytesIO(block)).quantization[0])
    assert jpeg.quality_of(np.array(table)) == options["quality"]
    Pillow.fromarray(photo).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").quantisation is None


def test_a_table_of_two_bytes_a_step():
    steps = np.arange(1, 65).reshape(8, 8) * 300
    zigzag = b"".join(int(steps[y, x]).to_bytes(2, "big") for y, x in [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)])
    table = _quantisation(b"\x10" + zigzag + bytes(2 * 58))
    assert table is not None
    assert [table[8 * y + x] for y, x in [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2)]] == [
        300, 600, 2700, 5100, 3000, 900,
    ]  # fmt: skip
    assert _quantisation(b"\x00" + bytes(63)) is None

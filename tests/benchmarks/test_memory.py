"""The benchmark of memory, with small images."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from subpixel.benchmarks import memory
from subpixel.errors import UnknownName
from subpixel.images import FORMATS
from subpixel.images.formats import FILE_FORMATS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")


def test_the_peak_of_a_process_grows_with_what_it_held() -> None:
    before = memory.peak()
    assert 20 < before < 16_000
    held = np.ones(int(before + 100) * 2**17)  # more than it ever had, in float64
    assert memory.peak() > before + 90
    del held
    assert memory.peak() > before + 90


def test_formats_are_measured_each_in_a_process_of_its_own() -> None:
    none, bmp, png = memory.bench_memory(64, ["BMP", "PNG"])
    assert (none.name, bmp.name, png.name) == ("8 x 8 pixels", "BMP", "PNG")
    assert bmp.written == "-"
    for value in (none.read, none.written, bmp.read, png.read, png.written):
        assert isinstance(value, float)
        assert 20 < value < 400
    assert list(memory.table([none, bmp]))[3] == f"| BMP | {bmp.read:,.0f} | - |"
    with pytest.raises(UnknownName, match="PNK"):
        list(memory.bench_memory(64, ["PNK"]))


def test_what_is_refused_says_so(tmp_path: Path) -> None:
    memory._make(tmp_path / "a.webp", 10_300, {"method": 0, "quality": 1})
    assert memory._peak_of(tmp_path / "a.webp", tmp_path / "b.tif", 1) == "refused"


def test_every_format_that_is_written_is_measured() -> None:
    endings = {ending for ending, _ in memory._FILES.values()}
    assert set(FORMATS) <= endings
    assert all(any(f".{ending}" in kind.suffixes for kind in FILE_FORMATS.values()) for ending in endings)


def test_the_image_has_its_size(tmp_path: Path) -> None:
    memory._make(tmp_path / "a.png", 1001, {})
    with PIL.Image.open(tmp_path / "a.png") as image:
        assert image.size == (1001, 1001)

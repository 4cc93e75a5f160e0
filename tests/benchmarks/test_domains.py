"""The measures of the fields, by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from subpixel.benchmarks import domains
from subpixel.errors import DataError, UnreadableImage


def test_edit_distance() -> None:
    assert domains.edit_distance("kitten", "sitting") == 3
    assert domains.edit_distance("", "abc") == domains.edit_distance("abc", "") == 3


def test_stars_are_found_and_measured() -> None:
    y, x = np.mgrid[:120, :120]
    places = [(30.3, 40.2), (80.0, 70.0)]
    sky = np.sum([a * np.exp(-((y - p) ** 2 + (x - q) ** 2) / 3) for a, (p, q) in zip((9, 5), places, strict=True)], 0)
    assert domains.brightest(sky, 2) == [(30, 40), (80, 70)]
    lines = domains.bench_stars(sky + 100, 2, domains.candidates(["bicubic"]))
    plain, bound = (line.values for line in lines)
    assert bound["flux"] < 0.03
    assert bound["centroid"] < 0.035
    assert bound["RMSE"] < plain["RMSE"]


def test_photographs_and_the_table() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 41, 3), "uint8")
    lines = domains.bench_photographs("noise", [photo], 2, domains.candidates(["nearest", "bicubic"]))
    low = np.floor(photo[:, :40].reshape(20, 2, 20, 2, 3).mean((1, 3)) + 0.5)
    error = np.mean((low.repeat(2, 0).repeat(2, 1) - photo[:, :40]) ** 2)
    assert lines[0].values["PSNR"] == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
    assert "- nearest, consistent: PSNR" in domains.table(lines)


def test_a_page_is_read() -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("needs tesseract")
    assert domains.read_errors(domains.render_text(domains.TEXT)) < 0.02
    assert domains.read_errors(np.full((100, 300, 3), 255, np.uint8)) == 1


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    with pytest.raises(DataError, match="has no folders in it; expected one for each field"):
        domains.fields(tmp_path)
    with pytest.raises(DataError, match="nope: no such file or directory"):
        domains.fields(tmp_path / "nope")
    (tmp_path / "trees").mkdir()
    assert domains.fields(tmp_path) == [tmp_path / "trees"]
    pytest.importorskip("astropy")
    with pytest.raises(UnreadableImage, match=r"nope\.fits: no such file$"):
        domains.sky(tmp_path / "nope.fits")


def test_a_sky_without_stars() -> None:
    of = domains.candidates(["bicubic"])
    with pytest.raises(DataError, match="no star in the image"):
        domains.bench_stars(np.full((40, 50), 7.0), 2, of)
    holed = np.ones((40, 50))
    holed[3, 4] = np.nan
    with pytest.raises(DataError, match="pixels without a value"):
        domains.bench_stars(holed, 2, of)

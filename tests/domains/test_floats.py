"""Floats beyond [0, 1]: PFM, SPIDER and plain TIFF keep their numbers, their gaps and their place among the formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from doubled import Doubled, blocks, smooth

from subpixel.domains.formats import format_of
from subpixel.errors import UnreadableImage, UnwritableImage
from subpixel.images import read

SCENE = (300 * smooth(24, 20) - 50).astype(np.float32)
COLOURS = np.stack([SCENE, SCENE * 2, 40 - SCENE], 2)


def pfm(path: Path, values: np.ndarray, order: str = "<") -> Path:
    kind, scale = ("Pf", "PF")[values.ndim == 3], {"<": "-1.0", ">": "2.5"}[order]
    head = f"{kind}\n{values.shape[1]} {values.shape[0]}\n{scale}\n"
    path.write_bytes(head.encode() + values[::-1].astype(f"{order}f4").tobytes())
    return path


def spider(path: Path, values: np.ndarray) -> Path:
    PIL.Image.fromarray(values).save(path, "SPIDER")
    return path


def tiff(path: Path, values: np.ndarray) -> Path:
    tifffile.imwrite(path, values, metadata=None)
    return path


@pytest.mark.parametrize("values", [SCENE, COLOURS], ids=["gray", "colours"])
@pytest.mark.parametrize("order", "<>")
def test_a_pfm_within_the_range_is_a_photo(tmp_path: Path, values: np.ndarray, order: str) -> None:
    within = (values - values.min()) / np.ptp(values)
    path = pfm(tmp_path / "a.pfm", within, order)
    found = read(path)
    assert np.array_equal(found.pixels.squeeze(), within)
    assert (found.metadata.depth, format_of(path)) == (32, None)


@pytest.mark.parametrize("make", [pfm, spider, tiff])
def test_the_mean_of_each_block_is_the_number_that_it_was_made_from(
    tmp_path: Path, doubled: Doubled, make: object
) -> None:
    assert callable(make)
    assert doubled(make(tmp_path / "source.x", SCENE), tmp_path / "b.tif") is None
    result = tifffile.imread(tmp_path / "b.tif")
    assert result.dtype == np.float32
    np.testing.assert_allclose(blocks(result), SCENE, atol=1e-3)


def test_colours_beyond_the_range_go_together(tmp_path: Path, doubled: Doubled) -> None:
    doubled(pfm(tmp_path / "a.pfm", COLOURS), tmp_path / "b.tif")
    result = tifffile.imread(tmp_path / "b.tif").transpose(2, 0, 1)
    np.testing.assert_allclose(blocks(result), COLOURS.transpose(2, 0, 1), atol=1e-3)


def test_what_was_not_measured_stays_so(tmp_path: Path, doubled: Doubled) -> None:
    """As in the disparities of Middlebury, where inf says unknown."""
    values = SCENE.copy()
    values[4:6, 7] = np.inf
    note = doubled(pfm(tmp_path / "a.pfm", values), tmp_path / "b.tif")
    result = tifffile.imread(tmp_path / "b.tif")
    assert np.array_equal(np.isinf(result), np.kron(np.isinf(values), np.ones((2, 2), bool)))
    assert note
    assert "filled" in note


def test_they_become_tiff_alone(tmp_path: Path, doubled: Doubled) -> None:
    with pytest.raises(UnwritableImage, match=r"floats beyond \[0, 1\] ends in .tif or .tiff; name it so with -o"):
        doubled(pfm(tmp_path / "a.pfm", SCENE), tmp_path / "b.png")


def test_what_is_cut_or_has_alpha_is_refused(tmp_path: Path, doubled: Doubled) -> None:
    cut = pfm(tmp_path / "a.pfm", SCENE)
    cut.write_bytes(cut.read_bytes()[:-3])
    with pytest.raises(UnreadableImage, match="damaged, truncated"):
        doubled(cut, tmp_path / "b.tif")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.dstack([COLOURS, SCENE]), photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(UnreadableImage, match=r"its floats leave \[0, 1\]"):
        doubled(path, tmp_path / "b.tif")

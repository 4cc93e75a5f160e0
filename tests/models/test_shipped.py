"""The models in the package give the same image on every path; what they score is in test_zoo_scores.py."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.images import Image, read, write
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape
from subpixel.runtimes import Execution


@pytest.mark.parametrize("tile", [0, 64, "auto"])
def test_levels_files_and_floats_agree(examples: Path, tmp_path: Path, tile: int | str) -> None:
    """An 8-bit array and an 8-bit file are computed on levels, an Image on floats; only ties may round otherwise."""
    photo = read(examples / "chelsea.jpg").to_array()[:150, :201]
    with Upscaler("swift-x2", tile=tile, execution=Execution(precision="f32")) as upscaler:  # pyright: ignore[reportArgumentType]
        by_levels = upscaler(photo)
        by_floats = upscaler(Image.from_array(photo)).to_array()
        write(tmp_path / "low.png", Image.from_array(photo))
        upscale_file(tmp_path / "low.png", tmp_path / "high.png", upscaler)
    assert np.array_equal(read(tmp_path / "high.png").to_array(), by_levels)
    difference = np.abs(by_levels.astype(int) - by_floats)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) < 1e-4 * difference.size


@pytest.mark.parametrize("name", ["ms-lapsrn-x4", "edsr-base-x4", "vdsr-x2"])
def test_a_deep_networks_windows_are_more_than_halo(name: str) -> None:
    halo = models.load(name).card.halo
    found = re.search(r"tile (\d+)x(\d+)", Upscaler(name).prepare(Shape(2000, 2000, 3)).describe())
    assert found
    wide, tall = (int(side) for side in found.groups())
    computed = (wide + 2 * halo) * (tall + 2 * halo)
    assert computed < 3 * wide * tall  # in tiles of the smallest size 24 times for ms-lapsrn

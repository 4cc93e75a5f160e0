"""The models in the package, on the photos of the project: they gain what their cards promise, on every path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.evaluation.evaluate import degraded, evaluate
from subpixel.image import Image, read, write
from subpixel.inference.upscaler import Upscaler, upscale_file

SHIPPED = {"espcn-x3": 30.851, "swift-x2": 35.019, "swift-x3": 31.869, "swift-x4": 30.342}
"""Y-PSNR in dB on the photos below, reduced by bicubic, under the field's protocol."""

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


def measured(upscaler: Upscaler, scale: int, examples: Path) -> float:
    pairs = degraded(((name, read(examples / f"{name}.jpg")) for name in PHOTOS), scale)
    report = evaluate(upscaler.upscale_image, pairs, scale, model="it", dataset="examples")
    return report.mean("it", "examples", scale, "psnr")


@pytest.mark.parametrize("name", models.names())
def test_each_model_scores_what_it_did_when_it_was_shipped(name: str, examples: Path) -> None:
    card = models.load(name).card
    ours = measured(Upscaler(name, precision="f32"), card.scale, examples)
    assert ours == pytest.approx(SHIPPED[name], abs=0.005)
    assert ours > measured(Upscaler("bicubic", scale=card.scale), card.scale, examples) + 0.5


@pytest.mark.parametrize("name", models.names())
def test_bf16_costs_little(name: str, examples: Path) -> None:
    card = models.load(name).card
    exact, quick = (measured(Upscaler(name, precision=p), card.scale, examples) for p in ("f32", "auto"))
    assert quick > exact - 0.06


@pytest.mark.parametrize("tile", [0, 64, "auto"])
def test_levels_files_and_floats_agree(examples: Path, tmp_path: Path, tile: int | str) -> None:
    """An 8-bit array and an 8-bit file are computed on levels, an Image on floats; only ties may round otherwise."""
    photo = read(examples / "chelsea.jpg").to_array()[:150, :201]
    with Upscaler("swift-x2", precision="f32", tile=tile) as upscaler:  # pyright: ignore[reportArgumentType]
        by_levels = upscaler(photo)
        by_floats = upscaler(Image.from_array(photo)).to_array()
        write(tmp_path / "low.png", Image.from_array(photo))
        upscale_file(tmp_path / "low.png", tmp_path / "high.png", upscaler)
    assert np.array_equal(read(tmp_path / "high.png").to_array(), by_levels)
    difference = np.abs(by_levels.astype(int) - by_floats)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) < 1e-4 * difference.size

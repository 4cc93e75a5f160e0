"""A network with a memory learns from clips that are made of photos, and is measured on such."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subpixel.degradations import classical
from subpixel.errors import SubpixelError
from subpixel.images import Image, write
from subpixel.resample import resize
from subpixel.runtimes import Execution
from subpixel.training import recipe
from subpixel.training.run import run
from subpixel.training.validation_set import ValidationSet

RECIPE = """
name = "tiny-video-x2"
arch = "recurrent"
steps = 60
validate_every = 20
ema = 0.9
[config]
channels = 8
layers = 3
hidden = 2
[data]
patch = 12
batch = 4
frames = 3
[optim]
lr = 3e-3
[loss]
psnr = 1.0
"""


def photos(root: Path) -> Path:
    y, x = np.mgrid[:96, :100] / 4
    for k, place in enumerate(("photos/0.png", "photos/1.png", "held-out/0.png")):
        (root / place).parent.mkdir(exist_ok=True)
        levels = np.rint(127 + 120 * np.sin(x * (1 + k / 3) + k) * np.cos(y)).astype(np.uint8)
        write(root / place, Image.from_array(levels))
    return root / "photos"


def small(tmp_path: Path, **changes: Any) -> recipe.Recipe:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return recipe.load(tmp_path / "recipe.toml", changes)


def test_it_learns_and_ships_what_it_has_learned(tmp_path: Path) -> None:
    (model,) = run(
        small(tmp_path), photos(tmp_path), tmp_path / "held-out", tmp_path / "run", execution=Execution(threads=1)
    )
    assert model.card.ports.carries
    assert [port.depth for port in (*model.card.ports.inputs, *model.card.ports.outputs)] == [1, 7, 1, 2]
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    measured = [line["psnr"] for line in lines if "psnr" in line]
    assert len(measured) == 3
    assert measured[2] > measured[0] + 0.5
    assert model.card.score("held-out") == pytest.approx(measured[2], abs=1e-3)


def test_clips_are_validated_as_they_are_trained_on(tmp_path: Path) -> None:
    photos(tmp_path)
    images = ValidationSet.find(tmp_path / "held-out", 2, classical(2), 1, frames=3)
    (pair,), (again,) = list(images.pairs()), list(images.pairs())
    assert (pair.low.pixels.shape, pair.high.pixels.shape) == ((24, 24, 3), (48, 48, 3))
    assert np.array_equal(pair.high.pixels, again.high.pixels)
    high = np.rint(255 * pair.high.pixels).astype(np.uint8)
    assert np.array_equal(np.rint(255 * pair.low.pixels), resize(high, 24, 24))
    assert not images.is_standard


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"data.frames": 1}, "data.frames: 1; recurrent sees clips; expected more than one frame"),
        ({"arch": "swift", "config": {}}, "data.frames: 3; swift sees one image at a time"),
        ({"data.degradation": "camera"}, "data.degradation: camera; clips are reduced by bicubic alone"),
        ({"data.patch": 30}, "smaller than the patch"),
    ],
    ids=["one frame", "no memory", "degraded", "large"],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(SubpixelError, match=problem):
        run(small(tmp_path, **changes), photos(tmp_path), tmp_path / "held-out", tmp_path / "run")

"""Made photos that a small network can learn from, to train on and to validate on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from subpixel.images import Image, write


def write_photos(root: Path, height: int, width: int, count: int = 2) -> Path:
    """Writes `count` photos to train on, and beside their folder, which is returned, two in `held-out`."""
    y, x = np.mgrid[:height, :width] / 10
    places = [*(f"photos/{k}" for k in range(count)), "held-out/0", "held-out/1"]
    for k, place in enumerate(places):
        waves = np.stack([np.sin(x + k), np.cos(y * x / 5), np.sin(y - k)], axis=-1) / 2 + 0.5
        (root / place).parent.mkdir(exist_ok=True)
        write(root / f"{place}.png", Image(waves.astype(np.float32)))
    return root / "photos"


def held_out(photos: Path) -> Path:
    """What to validate on, for the folder that `write_photos` returned."""
    return photos.with_name("held-out")

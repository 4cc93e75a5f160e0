"""What only its owner may read gives results that only its owner may read, whatever makes them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from subpixel import Upscaler
from subpixel.degradations import Resize
from subpixel.degradations.applied import AppliedDegradation, degrade
from subpixel.domains import upscale_file
from subpixel.images import Encoding, Image, write

ARRAY = np.random.default_rng(0).random((16, 20), np.float32)


def private(path: Path) -> Path:
    path.chmod(0o600)
    os.utime(path, ns=(10**18, 10**18))
    return path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_an_image_of_science(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(ARRAY).writeto(tmp_path / "a.fits")
    source, target = private(tmp_path / "a.fits"), tmp_path / "b.fits"
    upscale_file(source, target, Upscaler("bicubic", scale=2))
    assert mode(target) == 0o600
    assert target.stat().st_mtime_ns > 10**18
    upscale_file(source, target, Upscaler("bicubic", scale=2), Encoding(keep_time=True))
    assert target.stat().st_mtime_ns == 10**18
    target.chmod(0o640)
    upscale_file(source, target, Upscaler("bicubic", scale=2))
    assert mode(target) == 0o640  # of what it replaces


def test_a_degraded_image(tmp_path: Path) -> None:
    write(tmp_path / "a.png", Image(ARRAY[..., None]))
    degrade(private(tmp_path / "a.png"), tmp_path / "b.png", AppliedDegradation(Resize(0.5, "bicubic"), 0, 2))
    assert mode(tmp_path / "b.png") == 0o600

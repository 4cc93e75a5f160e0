"""`subpixel burst`: what it writes, what it says, and misuse in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel import Image, read, write
from subpixel.benchmarks.burst import Setting, made

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shots(examples: Path, tmp_path: Path) -> list[Path]:
    truth = np.ascontiguousarray(read(examples / "astronaut.jpg").pixels[148:276, 138:266])
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, frame in zip(paths, made(truth, Setting("", 3, noise=2), 2, np.random.default_rng(5))[0], strict=True):
        write(path, Image.from_array(frame))
    return paths


def test_a_burst(call: Call, shots: list[Path], tmp_path: Path) -> None:
    target, unsure = tmp_path / "out.png", tmp_path / "unsure.tif"
    status, out, err = call("burst", *shots, "-o", target, "--psf", "0.4", "--uncertainty", unsure)
    assert (status, out) == (0, "")
    assert err.startswith(f"{target}: 3 of 3 frames on {tmp_path}")
    assert "they alias (blur 0.40 px" in err
    assert err.count("\n") == 1
    assert (read(target).width, read(unsure).channels) == (128, 1)
    assert call("burst", *shots, "-o", target) == (2, "", f"subpixel: {target} exists; --overwrite replaces it\n")
    assert call("burst", *shots, "-o", target, "--overwrite", "-q", "-m", "bicubic", "-s", "1.5")[::2] == (0, "")
    assert read(target).width == 96


def test_misuse(call: Call, shots: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    assert "would be overwritten" in call("burst", *shots, "-o", shots[1], "--overwrite")[2]
    assert "expected auto or a number of pixels" in call("burst", *shots, "-o", target, "--psf", "wide")[2]
    assert "expected seconds or M:SS.s" in call("burst", shots[0], "-o", target, "--at", "noon")[2]
    assert call("burst", shots[0], "-o", target)[::2] == (
        2,
        "subpixel: 1 frame; a burst needs at least 2 (for one image: subpixel upscale)\n",
    )
    assert not target.exists()

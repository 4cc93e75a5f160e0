"""Bursts of photos of any size, at every scale that the command takes: the same pixels are compared by all methods."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import read
from subpixel.benchmarks.burst import Setting, bench_burst, make_burst
from subpixel.images import Floats, Image, dequantise
from subpixel.inference.upscaler import Upscaler


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_line_is_of_the_middle_of_a_photo(examples: Path, scale: int) -> None:
    pixels = read(examples / "chelsea.jpg").pixels[90:191, 120:240]  # 101 rows: a multiple of no scale
    setting = Setting("three frames", 3, noise=1)
    (line,) = bench_burst([("cat", Image(np.ascontiguousarray(pixels)))], [setting], scale, 100)
    height, width = 100 // scale * scale, 100 // scale * scale
    top, left = (101 - height) // 2, (120 - width) // 2
    truth = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    first = make_burst(truth, setting, scale, np.random.default_rng(0))[0][0]
    with Upscaler("bicubic", scale=scale) as upscaler:
        expected = _psnr(dequantise(upscaler(first)), truth, 12 + scale)
    assert line.values["bicubic"] == pytest.approx(expected, abs=0.05)
    assert line.values["burst, PSF known"] > line.values["bicubic"]


def _psnr(result: Floats, truth: Floats, border: int) -> float:
    """Of luma after BT.601, with 219 levels from black to white, within a border."""
    weights = np.array([65.481, 128.553, 24.966])
    error = ((result - truth) @ weights)[border:-border, border:-border]
    return float(10 * np.log10(255**2 / (error**2).mean()))

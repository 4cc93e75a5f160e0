"""Tiles against the whole image, for each architecture as a model file in each runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from subpixel import archs
from subpixel.images import Image
from subpixel.inference import Upscaler
from subpixel.models import weights
from subpixel.runtimes import MODULES, Execution, installed


# What carries a map from frame to frame is tried in tests/video/test_recurrence.py.
@pytest.fixture(scope="module", params=[name for name in archs.NAMES if name != "recurrent"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = archs.create(request.param, {"scale": 2})
    with torch.no_grad():
        for weight in network.parameters():  # a fresh tail may be zero, which would hide a seam
            weight.add_(0.02 * torch.randn_like(weight))
    path = tmp_path_factory.mktemp("models") / f"{request.param}-x2.onnx"
    weights.save(network, path)
    return path


@pytest.mark.parametrize("runtime", MODULES)
def test_tiles_equal_the_whole_image(model: Path, runtime: str) -> None:
    if not installed(runtime):
        pytest.skip(f"{runtime} is not installed")
    one = Execution(runtime, "f32", threads=1, device="cpu")
    with Upscaler(model, tile=0, execution=one) as whole, Upscaler(model, tile=16, execution=one) as tiled:
        for height, width in ((1, 1), (1, 33), (45, 51)):
            pixels = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
            expected, got = whole(Image(pixels)).pixels, tiled(Image(pixels)).pixels
            assert expected.std() > 0.01 or expected.size == 12
            np.testing.assert_allclose(got, expected, rtol=0, atol=5e-6)

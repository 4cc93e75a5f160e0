"""Transformers of the community, random and tiny: recognised, imported, and compared with the networks themselves."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from subpixel import Upscaler
from subpixel.export import community
from subpixel.export.imports import import_model

pytestmark = pytest.mark.skipif(importlib.util.find_spec("spandrel") is None, reason="needs the extra `community`")

SWIN = {"img_size": 16, "window_size": 8, "embed_dim": 12, "mlp_ratio": 2.0, "upscale": 2}
CASES: dict[str, dict[str, Any]] = {
    "SwinIR": SWIN | {"depths": [2], "num_heads": [2], "upsampler": "pixelshuffledirect"},
    "HAT": SWIN | {"depths": (2,), "num_heads": (2,), "num_feat": 64, "compress_ratio": 3, "squeeze_factor": 6},
    "DITN": {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "upscale": 2},
    "SAFMN": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
}
"""Architecture -> a configuration: shifted windows, overlapping windows, a graph for one size, adaptive pooling."""


def _weights(name: str, folder: Path) -> Path:
    """Larger than those of a fresh network, which is nearly linear."""
    community._spandrel()
    warnings.simplefilter("ignore")  # torch.meshgrid, inside spandrel
    network = getattr(importlib.import_module(f"spandrel.architectures.{name}"), name)(**CASES[name])
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.6 / (weight.numel() / len(weight)) ** 0.5, generator=random)
    torch.save(network.state_dict(), folder / f"2x_{name}.pth")
    return folder / f"2x_{name}.pth"


@pytest.mark.parametrize("name", CASES)
def test_an_imported_transformer_computes_what_spandrel_computes(name: str, tmp_path: Path) -> None:
    source = _weights(name, tmp_path)
    model = import_model(source, tmp_path / "x.onnx")
    assert (model.card.arch, model.card.scale) == (name, 2)
    assert model.card.side == (192 if name == "DITN" else 0)
    assert model.card.multiple % 8 == 0
    photo = np.random.default_rng(0).random((107, 99, 3), dtype=np.float32)
    spandrel = community._spandrel()
    original = spandrel.ModelLoader(device="cpu").load_from_state_dict(torch.load(source, weights_only=True))
    expected = original(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert expected.std() > 0.05
    tiled = Upscaler(model.path, tile=64, precision="f32")(photo)
    whole = Upscaler(model.path, tile=0, precision="f32")(photo)
    # beyond a measured halo at most half a level may come together; a graph for one size reflects up to that size
    assert np.abs(whole - expected).max() < (1 / 510 if model.card.side else 5e-4)
    assert np.abs(tiled - expected).max() < 1 / 510

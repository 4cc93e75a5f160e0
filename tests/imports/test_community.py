"""Networks of the community, random and tiny: recognised, exported, and compared with the networks themselves."""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from subpixel import Upscaler
from subpixel.errors import BadWeights, MissingExtra, RuntimeUnavailable, SubpixelError
from subpixel.imports import community
from subpixel.imports.import_model import import_model
from subpixel.runtimes import Execution

SWIN = {"img_size": 16, "window_size": 8, "embed_dim": 12, "mlp_ratio": 2.0, "upscale": 2}
CASES: dict[str, dict[str, Any]] = {
    "SwinIR": SWIN | {"depths": [2], "num_heads": [2], "upsampler": "pixelshuffledirect"},
    "HAT": SWIN | {"depths": (2,), "num_heads": (2,), "num_feat": 64, "compress_ratio": 3, "squeeze_factor": 6},
    "DITN": {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "upscale": 2},
    "SAFMN": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
    "ESRGAN": {"in_nc": 12, "out_nc": 3, "num_filters": 8, "num_blocks": 2, "scale": 4, "shuffle_factor": 2},
}
"""Architecture -> a configuration: shifted windows, overlapping windows, sizes that become constants, adaptive pooling,
images taken apart into their phases."""
REFUSED: dict[str, dict[str, Any]] = {
    "FFTformer": {"dim": 8, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1},
    "ATD": SWIN | {"depths": (2,), "num_heads": (2,), "upsampler": "pixelshuffledirect"},
}
"""What ONNX or torch's exporter has no operation for: spectra, sorting."""


@pytest.fixture
def spandrel() -> Any:
    try:
        return community._spandrel()
    except SubpixelError as error:
        pytest.skip(f"needs the extra `community`: {error}")


def _weights(name: str, config: dict[str, Any], folder: Path) -> Path:
    """Larger than those of a fresh network, which is nearly linear."""
    warnings.simplefilter("ignore")  # torch.meshgrid, inside spandrel
    torch.manual_seed(0)
    network = getattr(importlib.import_module(f"spandrel.architectures.{name}"), name)(**config)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim > 1:
                weight.normal_(
                    0, (0.9 if name == "ESRGAN" else 0.6) / (weight.numel() / len(weight)) ** 0.5, generator=random
                )
    torch.save(network.state_dict(), folder / f"2x_{name}.pth")
    return folder / f"2x_{name}.pth"


@pytest.mark.parametrize("name", CASES)
def test_an_imported_network_computes_what_spandrel_computes(name: str, spandrel: Any, tmp_path: Path) -> None:
    source = _weights(name, CASES[name], tmp_path)
    model = import_model(source, tmp_path / "x.onnx")
    assert (model.card.arch, model.card.scale) == (name, 2)
    assert model.card.fixed_size == (192 if name in ("DITN", "SAFMN") else 0)
    assert model.card.tile_stride % (4 if name == "ESRGAN" else 8) == 0
    # a graph for one size would reflect a smaller photo farther than spandrel does
    size = (208, 200) if model.card.fixed_size else (107, 99)
    photo = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    original = spandrel.ModelLoader(device="cpu").load_from_state_dict(torch.load(source, weights_only=True))
    expected = original(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert expected.std() > 0.05
    tiled = Upscaler(model.path, tile=64, execution=Execution(precision="f32"))(photo)
    whole = Upscaler(model.path, tile=0, execution=Execution(precision="f32"))(photo)
    assert np.abs(whole - expected).max() < 5e-4
    assert np.abs(tiled - expected).max() < 1 / 510  # beyond a measured halo half a level may come together


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_cannot_export_is_refused_in_one_line(
    name: str, spandrel: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = _weights(name, REFUSED[name], tmp_path)
    spandrel.ModelLoader(device="cpu").load_from_state_dict(torch.load(source, weights_only=True))  # is recognised
    with pytest.raises(BadWeights, match=f"torch cannot export its {name}: ") as caught:
        import_model(source, tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_a_network_that_cannot_be_exported_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    class Complex(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.fft(x).real

    with pytest.raises(Exception, match="fft"):
        community.exported(Complex())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("code", "error", "text"),
    [
        ("import torchvision_that_is_not_there", MissingExtra, "torchvision_that_is_not_there is not installed; run"),
        (
            "raise RuntimeError('operator nms\\ndoes not exist')",
            RuntimeUnavailable,
            "operator nms does not exist; inst",
        ),
    ],
)
def test_a_spandrel_that_cannot_be_imported_costs_one_line(
    code: str, error: type[SubpixelError], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spandrel.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    with pytest.raises(error, match=text) as caught:
        community.load(tmp_path / "x.pth")
    assert "\n" not in str(caught.value)

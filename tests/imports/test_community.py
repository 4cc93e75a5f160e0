"""Transformers of the community, random and tiny: recognised, imported, and compared with the networks themselves."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from subpixel import Upscaler
from subpixel.imports import community, recording
from subpixel.imports.import_model import import_model
from subpixel.runtimes import Execution

pytestmark = pytest.mark.skipif(importlib.util.find_spec("spandrel") is None, reason="needs the extra `community`")

SWIN = {"img_size": 16, "window_size": 8, "embed_dim": 12, "mlp_ratio": 2.0, "upscale": 2}
CASES: dict[str, dict[str, Any]] = {
    "SwinIR": SWIN | {"depths": [2], "num_heads": [2], "upsampler": "pixelshuffledirect"},
    "HAT": SWIN | {"depths": (2,), "num_heads": (2,), "num_feat": 64, "compress_ratio": 3, "squeeze_factor": 6},
    "DITN": {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "upscale": 2},
    "SAFMN": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
    "ESRGAN": {"in_nc": 12, "out_nc": 3, "num_filters": 8, "num_blocks": 2, "scale": 4, "shuffle_factor": 2},
}
"""Architecture -> a configuration: shifted windows, overlapping windows, a graph for one size, adaptive pooling,
images taken apart into their phases."""
IPT = {"patch_size": 48, "patch_dim": 3, "n_feats": 4, "scale": [2], "num_heads": 12, "num_layers": 1}


def _weights(name: str, config: dict[str, Any], folder: Path) -> Path:
    """Larger than those of a fresh network, which is nearly linear."""
    community._spandrel()
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
def test_an_imported_transformer_computes_what_spandrel_computes(name: str, tmp_path: Path) -> None:
    source = _weights(name, CASES[name], tmp_path)
    model = import_model(source, tmp_path / "x.onnx")
    assert (model.card.arch, model.card.scale) == (name, 2)
    assert model.card.fixed_size == (192 if name == "DITN" else 0)
    assert model.card.tile_stride % (4 if name == "ESRGAN" else 8) == 0
    photo = np.random.default_rng(0).random((107, 99, 3), dtype=np.float32)
    spandrel = community._spandrel()
    original = spandrel.ModelLoader(device="cpu").load_from_state_dict(torch.load(source, weights_only=True))
    expected = original(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert expected.std() > 0.05
    tiled = Upscaler(model.path, tile=64, execution=Execution(precision="f32"))(photo)
    whole = Upscaler(model.path, tile=0, execution=Execution(precision="f32"))(photo)
    # beyond a measured halo at most half a level may come together; a graph for one size reflects up to that size
    assert np.abs(whole - expected).max() < (1 / 510 if model.card.fixed_size else 5e-4)
    assert np.abs(tiled - expected).max() < 1 / 510


def test_a_network_for_one_size_is_cut_by_our_tiles(tmp_path: Path) -> None:
    """IPT takes squares of 48; spandrel cuts images into such itself."""
    source = _weights("IPT", IPT, tmp_path)
    model = import_model(source, tmp_path / "x.onnx")
    assert (model.card.arch, model.card.fixed_size, model.card.halo) == ("IPT", 48, 8)
    spandrel = community._spandrel()
    original = spandrel.ModelLoader(device="cpu").load_from_state_dict(torch.load(source, weights_only=True)).model
    photo = np.random.default_rng(0).random((48, 48, 3), dtype=np.float32)
    with torch.no_grad():
        expected = original(torch.from_numpy(photo).permute(2, 0, 1)[None] * 255)[0].permute(1, 2, 0).numpy() / 255
    with Upscaler(model.path, execution=Execution(precision="f32")) as upscale:
        whole = upscale(np.pad(photo, ((0, 80), (0, 144), (0, 0)), mode="wrap"))
    assert whole.shape == (256, 384, 3)
    assert np.abs(whole[:64, :64] - expected.clip(0, 1)[:64, :64]).max() < 1e-4  # the first tile's own


def test_a_network_that_multiplies_spectra_is_imported(tmp_path: Path) -> None:
    config = {"dim": 8, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1}
    source = _weights("FFTformer", config, tmp_path)
    model = import_model(source, tmp_path / "x.onnx")
    original = (
        community._spandrel().ModelLoader(device="cpu").load_from_state_dict(torch.load(source, weights_only=True))
    )
    photo = np.random.default_rng(0).random((40, 51, 3), dtype=np.float32)
    expected = original(torch.from_numpy(photo.copy()).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert expected.std() > 0.05
    with Upscaler(model.path, tile=0, execution=Execution(precision="f32")) as upscale:
        assert np.abs(upscale(photo) - expected).max() < 5e-4


def test_kernels_that_are_computed_and_noise_are_recorded() -> None:
    class Styled(torch.nn.Module):
        """AuraSR in short: the kernel depends on noise."""

        def __init__(self) -> None:
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.rand(2, 3, 3, 3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with recording.recordable():
                share = (torch.randn(1, 2) + torch.randn_like(x).mean()).softmax(-1).reshape(2, 1, 1, 1, 1)
                return torch.nn.functional.conv2d(x, (self.kernel * share).sum(0), padding=1)

    network, x = Styled(), torch.rand(1, 3, 9, 11)
    session = onnxruntime.InferenceSession(recording.recorded(network).SerializeToString())
    (got,) = session.run(None, {"low": x.numpy()})
    with torch.no_grad():
        expected = torch.nn.functional.conv2d(x, network.kernel.mean(0), padding=1)
    np.testing.assert_allclose(got, expected.numpy(), atol=1e-5)


def test_a_network_that_cannot_be_recorded_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    class Complex(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.fft(x).real

    with pytest.raises(Exception, match="fft"):
        recording.recorded(Complex())
    assert capfd.readouterr() == ("", "")


def test_what_stands_in_for_torchs_functions_computes_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    blocks = torch.rand(2, 3 * 16, 25, generator=random)
    torch.testing.assert_close(recording._fold(blocks, 12, 4, 2), torch.nn.functional.fold(blocks, 12, 4, stride=2))
    a, b = torch.rand(2, 2, 3, 8, 8, generator=random)
    weight, fft = torch.rand(3, 8, 5, generator=random), torch.fft
    torch.testing.assert_close(
        recording._irfft2(recording._rfft2(a) * recording._rfft2(b) * weight, (8, 8)),
        fft.irfft2(fft.rfft2(a) * fft.rfft2(b) * weight, s=(8, 8)),
    )
    for x in (torch.rand(2, 3, 40, generator=random), torch.randint(0, 5, (2, 3, 40), generator=random)):
        for descending in (False, True):
            got, expected = (
                recording._sort(x, -1, descending),
                torch.sort(x, dim=-1, descending=descending, stable=True),
            )
            assert torch.equal(got[0], expected[0])
            assert torch.equal(got[1], expected[1])

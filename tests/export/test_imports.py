"""Weights from elsewhere become model files that the Upscaler runs as its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from subpixel import Image, Upscaler, models
from subpixel.errors import BadRequest, BadWeights, MissingExtra, ParityError
from subpixel.export import imports
from subpixel.export.community import Found
from subpixel.export.imports import halo, import_model
from subpixel.runtimes import open_runtime

Weights = dict[str, torch.Tensor]


def _need_spandrel() -> None:
    if importlib.util.find_spec("spandrel") is None:  # without torchvision it cannot be imported plainly
        pytest.skip("needs the extra `community`")


class Compact(nn.Module):
    """Real-ESRGAN's compact network: its state dict is recognised by its names and shapes."""

    def __init__(self, features: int = 8, convolutions: int = 2, scale: int = 2) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.ModuleList([nn.Conv2d(3, features, 3, 1, 1), nn.PReLU(features)])
        for _ in range(convolutions):
            self.body += [nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features)]
        self.body.append(nn.Conv2d(features, 3 * scale**2, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for layer in self.body:
            y = layer(y)
        near = nn.functional.interpolate(x, scale_factor=self.scale, mode="nearest")
        return nn.functional.pixel_shuffle(y, self.scale) + near


@pytest.fixture(scope="module")
def compact() -> Compact:
    torch.manual_seed(0)
    return Compact().eval()


@pytest.fixture(scope="module")
def imported(compact: Compact, tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    _need_spandrel()
    folder = tmp_path_factory.mktemp("community")
    torch.save({"params_ema": compact.state_dict()}, folder / "2x_Nice_Photo.pth")
    return import_model(folder / "2x_Nice_Photo.pth", folder / "nice.onnx")


def test_the_card_says_what_was_found(imported: models.Model) -> None:
    card = imported.card
    assert (card.name, card.scale, card.halo) == ("nice-photo-x2", 2, 4)
    assert card.arch == "RealESRGAN Compact"
    assert card.config == {"file": "2x_Nice_Photo.pth", "halo": "measured"}
    assert card.parameters == 3 * 8 * 9 + 8 + 2 * (8 * 8 * 9 + 8) + 8 * 12 * 9 + 12 + 3 * 8
    assert card.macs == (3 * 8 * 9 + 2 * 8 * 8 * 9 + 8 * 12 * 9) / 4


def test_it_computes_what_the_network_computes(imported: models.Model, compact: Compact) -> None:
    upscale = Upscaler(imported.path, precision="f32")
    photo = np.random.default_rng(0).random((19, 23, 3), dtype=np.float32)
    with torch.no_grad():
        expected = compact(torch.from_numpy(photo).permute(2, 0, 1)[None])[0].permute(1, 2, 0).clamp(0, 1)
    assert np.abs(upscale(photo) - expected.numpy()).max() < 1e-5


def test_tiles_alpha_and_metadata_work(imported: models.Model) -> None:
    rng = np.random.default_rng(1)
    image = Image.from_array(rng.integers(0, 65536, (50, 70, 4), dtype=np.uint16))
    whole = Upscaler(imported.path, tile=0, precision="f32")(image)
    tiled = Upscaler(imported.path, tile=32, precision="f32")(image)
    assert np.abs(whole.pixels - tiled.pixels).max() < 1e-5
    assert whole.alpha is not None
    assert whole.alpha.shape == (100, 140)
    assert whole.meta == image.meta


def test_safetensors_are_read_as_well(compact: Compact, imported: models.Model, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file(compact.state_dict(), tmp_path / "c.safetensors")
    again = import_model(tmp_path / "c.safetensors", tmp_path / "c.onnx")
    assert again.card.sha256 == imported.card.sha256


class Evil:
    """A pickle that would run code."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return (print, ("run",))


def _garbage(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 this is no archive")


def _evil(path: Path) -> None:
    torch.save({"weight": Evil()}, path)


def _unknown(path: Path) -> None:
    torch.save({"some.weight": torch.zeros(3, 3)}, path)


def _cut(path: Path) -> None:
    torch.save(Compact().state_dict(), path)
    path.write_bytes(path.read_bytes()[:900])


@pytest.mark.parametrize(
    ("make", "why"),
    [(_garbage, "damaged"), (_evil, "it could run code"), (_unknown, "recognises no architecture"), (_cut, "damaged")],
)
def test_what_is_no_network_is_refused(
    make: Callable[[Path], None], why: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _need_spandrel()
    make(tmp_path / "x.pth")
    with pytest.raises(BadWeights, match=why) as caught:
        import_model(tmp_path / "x.pth", tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)
    assert "run" not in capfd.readouterr().out.split()
    assert not (tmp_path / "x.onnx").exists()


def test_other_files_and_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRequest, match=r"ends in \.pb, \.pth"):
        import_model(tmp_path / "photo.jpg")
    with pytest.raises(BadRequest, match=r"ends in \.onnx"):
        import_model(tmp_path / "x.pb", tmp_path / "x.bin")
    with pytest.raises(BadWeights, match="No such file"):
        import_model(tmp_path / "x.pb")
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(BadWeights):
        import_model(tmp_path / "x.safetensors")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'subpixel\[community\]'"):
        import_model(tmp_path / "x.pth")


def test_a_model_that_differs_is_not_handed_over(
    compact: Compact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _need_spandrel()
    torch.save(compact.state_dict(), tmp_path / "x.pth")
    run = imports._run
    monkeypatch.setattr(imports, "_run", lambda network, batch: run(network, batch) + 1e-3)
    with pytest.raises(ParityError):
        import_model(tmp_path / "x.pth", tmp_path / "x.onnx")
    assert [p.name for p in tmp_path.iterdir()] == ["x.pth"]


def test_a_recording_that_differs_is_replaced_by_the_symbolic_export(
    compact: Compact, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded, tried = imports._recorded, list[nn.Module]()

    def spoiled(network: nn.Module) -> object:
        tried.append(network)
        return recorded(Compact(features=4).eval())

    monkeypatch.setattr(imports, "_recorded", spoiled)
    model = imports._model(Path("2x_c.pth"), Found(compact, "compact", 2, 1))
    assert tried == [compact]
    photo = np.random.default_rng(0).random((1, 3, 7, 9), dtype=np.float32)
    made = open_runtime(model, "openvino", "f32").run(photo)
    assert np.abs(made - imports._run(compact, photo)).max() < 1e-5


class Chain(nn.Module):
    """Blurs over `reach` pixels."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 2 * reach + 1, padding=reach, padding_mode="replicate", groups=3, bias=False)
        nn.init.constant_(self.conv.weight, 1 / self.conv.weight[0].numel())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def test_the_halo_is_measured() -> None:
    assert halo(Found(Chain(5), "blur", 1, 1)) == (5, True)
    assert halo(Found(Chain(9), "blur", 1, 1)) == (9, True)


def test_a_network_that_sees_everything_gets_the_largest_halo() -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + x.mean((2, 3), keepdim=True)

    assert halo(Found(Mean(), "mean", 1, 1)) == (64, False)

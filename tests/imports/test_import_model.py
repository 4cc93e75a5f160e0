"""Weights from elsewhere become model files that the Upscaler runs as its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.ImageCms
import pytest
import torch
from torch import nn

from subpixel import Image, Upscaler, models
from subpixel.errors import BadRequest, BadWeights, MissingExtra, ParityError, SubpixelError
from subpixel.images import Metadata, read, write
from subpixel.imports import community
from subpixel.imports import import_model as imports
from subpixel.imports.community import ForeignNetwork
from subpixel.imports.import_model import halo, import_model, tile_stride
from subpixel.inference.file import upscale_file
from subpixel.runtimes import Execution, on_batches, open_runtime

Weights = dict[str, torch.Tensor]


def _need_spandrel() -> None:
    try:
        community._spandrel()
    except SubpixelError as error:
        pytest.skip(f"needs the extra `community`: {error}")


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
    upscale = Upscaler(imported.path, execution=Execution(precision="f32"))
    photo = np.random.default_rng(0).random((19, 23, 3), dtype=np.float32)
    with torch.no_grad():
        expected = compact(torch.from_numpy(photo).permute(2, 0, 1)[None])[0].permute(1, 2, 0).clamp(0, 1)
    assert np.abs(upscale(photo) - expected.numpy()).max() < 1e-5


def test_tiles_alpha_and_metadata_work(imported: models.Model) -> None:
    rng = np.random.default_rng(1)
    image = Image.from_array(rng.integers(0, 65536, (50, 70, 4), dtype=np.uint16))
    whole = Upscaler(imported.path, tile=0, execution=Execution(precision="f32"))(image)
    tiled = Upscaler(imported.path, tile=32, execution=Execution(precision="f32"))(image)
    assert np.abs(whole.pixels - tiled.pixels).max() < 1e-5
    assert whole.alpha is not None
    assert whole.alpha.shape == (100, 140)
    assert whole.metadata == image.metadata


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


def test_a_text_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_text("hi\n")
    with pytest.raises(BadWeights, match=r"x\.pth: it is damaged, or no file of weights$"):
        community.read_weights(tmp_path / "x.pth")


def test_other_files_and_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRequest, match=r"ends in \.pb, \.pth"):
        import_model(tmp_path / "photo.jpg")
    with pytest.raises(BadRequest, match=r"ends in \.onnx"):
        import_model(tmp_path / "x.pb", tmp_path / "x.bin")
    with pytest.raises(BadWeights, match="no such file"):
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


class Windows(nn.Module):
    """Subtracts half the mean of each window of 8 x 8 pixels, the way transformers cut them: sizes become constants."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, _, h, w = (int(side) for side in x.shape)
        x = nn.functional.pad(x, (0, -w % 8, 0, -h % 8), mode="replicate")
        rows, columns = -(-h // 8), -(-w // 8)
        cut = x.reshape(n, 3, rows, 8, columns, 8)
        y = cut - cut.mean((3, 5), keepdim=True) / 2
        return y.reshape(n, 3, 8 * rows, 8 * columns)[..., :h, :w].repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    return imports._saved(
        imports._model(Path("2x_windows.pth"), ForeignNetwork(Windows(), "Windows", 2, 1)),
        tmp_path_factory.mktemp("windows") / "windows.onnx",
        overwrite=False,
    )


def test_a_graph_that_holds_for_one_size_gets_the_size_of_a_tile(windowed: models.Model) -> None:
    card = windowed.card
    assert (card.fixed_size, card.tile_stride, card.halo) == (192, 8, 8)  # 7 pixels are seen: a multiple of 8


def test_a_graph_that_is_not_of_its_cards_shape_is_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It wrote where it may not, and the process ended at some later call."""
    run: list[int | None] = []
    monkeypatch.setattr(imports, "compare", lambda source, model, *rest, **sizes: run.append(model.card.fixed_size))
    imports._model(Path("2x_windows.pth"), ForeignNetwork(Windows(), "Windows", 2, 1))
    assert run == [192]  # not the one for images of any size, which was tried first


@pytest.mark.parametrize("tile", ["auto", 0, 40])
def test_its_tiles_are_the_whole_image(windowed: models.Model, tile: int) -> None:
    photo = np.random.default_rng(0).random((229, 309, 3), dtype=np.float32)
    expected = Windows()(torch.from_numpy(photo).permute(2, 0, 1)[None])[0].permute(1, 2, 0).clamp(0, 1).numpy()
    got = Upscaler(windowed.path, tile=tile, execution=Execution(precision="f32"))(photo)
    # the last windows are filled up by reflection, where this network repeats its border
    assert np.abs(got - expected)[: 2 * 224, : 2 * 304].max() < 1e-5
    assert np.abs(got - expected).max() < 0.6


def test_its_runtime_takes_smaller_images_and_refuses_larger_ones(windowed: models.Model) -> None:
    runtime = open_runtime(windowed, Execution("openvino", "f32"))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 9, 3), dtype=np.uint8)
    low = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    full = np.pad(low, ((0, 0), (0, 0), (0, 7), (0, 7)), mode="reflect")
    expected = Windows()(torch.from_numpy(full)).numpy()[..., :2, :18]
    made = on_batches(runtime.run)(np.concatenate([low, low]))
    assert np.abs(made - expected).max() < 1e-6
    levels = np.clip(expected[0], 0, 1).transpose(1, 2, 0) * 255
    assert np.abs(on_batches(runtime.run)(pixels[None])[0] - levels).max() < 0.51
    with pytest.raises(BadRequest, match="193x9 pixels; this graph takes at most 192x192"):
        on_batches(runtime.run)(np.zeros((1, 3, 9, 193), np.float32))


def test_files_of_16_bit_with_alpha_keep_what_they_say(windowed: models.Model, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (211, 203, 4), dtype=np.uint16)
    metadata = Metadata(
        icc=PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes(), dpi=(300.0, 300.0), depth=16
    )
    image = Image.from_array(samples, metadata)
    write(tmp_path / "a.png", image)
    upscale = Upscaler(windowed.path, execution=Execution(precision="f32"))
    upscale_file(tmp_path / "a.png", tmp_path / "b.png", upscale)
    made, expected = read(tmp_path / "b.png"), upscale(image)
    assert np.abs(made.samples - expected.samples).max() <= 0.51 / 65535
    assert made.metadata.icc == metadata.icc
    assert made.metadata.depth == 16
    assert made.samples.shape == (422, 406, 4)


def test_where_tiles_may_begin_is_measured() -> None:
    assert tile_stride(ForeignNetwork(Chain(5), "blur", 1, 1)) == 1
    assert tile_stride(ForeignNetwork(Windows(), "windows", 2, 1)) == 8
    assert tile_stride(ForeignNetwork(Windows(), "windows", 2, 16)) == 16  # what spandrel asks for


class Chain(nn.Module):
    """Blurs over `reach` pixels."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 2 * reach + 1, padding=reach, padding_mode="replicate", groups=3, bias=False)
        nn.init.constant_(self.conv.weight, 1 / self.conv.weight[0].numel())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def test_the_halo_is_measured() -> None:
    assert halo(ForeignNetwork(Chain(5), "blur", 1, 1)) == (5, True)
    assert halo(ForeignNetwork(Chain(9), "blur", 1, 1)) == (9, True)


def test_a_network_that_sees_everything_gets_the_largest_halo() -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + x.mean((2, 3), keepdim=True)

    assert halo(ForeignNetwork(Mean(), "mean", 1, 1)) == (64, False)

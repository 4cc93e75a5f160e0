"""Networks of one, three, four and five channels: trained, shipped, loaded, and given images and files to enlarge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from subpixel import archs, color, models
from subpixel.datasets import sources
from subpixel.degradations import LABELS, PRESETS
from subpixel.domains import upscale_file
from subpixel.errors import SubpixelError
from subpixel.evaluation.evaluate import degraded
from subpixel.images import Image, read, write
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.psnr import psnr
from subpixel.models import weights
from subpixel.resample import resize
from subpixel.runtimes import Execution
from subpixel.training import recipe
from subpixel.training.run import run

RECIPE = """
name = "tiny-x2"
arch = "swift"
steps = 60
validate_every = 30
ema = 0.9
[config]
channels = 16
layers = 3
[data]
patch = 12
batch = 4
"""
EXACT = Execution(precision="f32")


def waves(channels: int, phase: float, height: int = 64, width: int = 72) -> np.ndarray:
    """Each channel other waves, 16 bit."""
    y, x = np.mgrid[:height, :width] / 9
    planes = [np.sin(x * (1 + k / 5) + phase) * np.cos(y + k) / 2 + 0.5 for k in range(channels)]
    return np.round(65535 * np.stack(planes, axis=-1)).astype(np.uint16)


def save(path: Path, levels: np.ndarray) -> None:
    """A TIFF whose channels beyond three are neither colour nor alpha, or a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if levels.shape[2] in (1, 3):
        write(path.with_suffix(".png"), Image.from_array(levels))
        return
    tifffile = pytest.importorskip("tifffile")
    kind = {"photometric": "minisblack", "planarconfig": "contig", "metadata": None}
    tifffile.imwrite(path.with_suffix(".tif"), levels, extrasamples=["unspecified"] * (levels.shape[2] - 1), **kind)


def photos(root: Path, channels: int) -> Path:
    for k, place in enumerate(("photos/0", "photos/1", "held-out/0")):
        save(root / place, waves(channels, 2 * k))
    return root / "photos"


def small(tmp_path: Path, **changes: Any) -> recipe.Recipe:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return recipe.load(tmp_path / "recipe.toml", changes)


@pytest.mark.parametrize("channels", [1, 3, 4, 5])
def test_a_network_of_so_many_channels(tmp_path: Path, channels: int) -> None:
    folder = photos(tmp_path, channels)
    (model,) = run(
        small(tmp_path, **{"config.colours": channels}),
        folder,
        tmp_path / "held-out",
        tmp_path / "run",
        execution=Execution(threads=1),
    )
    assert (model.card.ports.channels, model.card.ports.outputs[0].depth) == (channels, channels)
    high = waves(channels, 4)
    low = np.clip(resize(high / 65535, 32, 36), 0, 1).astype(np.float32)
    with torch.inference_mode():
        batch = weights.network(model)(torch.from_numpy(low.transpose(2, 0, 1)[None]))
    expected = batch[0].numpy().transpose(1, 2, 0).clip(0, 1)
    with Upscaler(model, execution=EXACT) as upscaler:
        result = upscaler(low)
        np.testing.assert_allclose(result, expected, atol=2e-5)
        image = upscaler(Image(low))
        np.testing.assert_array_equal(image.pixels, result)
        assert image.alpha is None
    assert psnr(result, high / 65535) > psnr(np.repeat(np.repeat(low, 2, 0), 2, 1), high / 65535) + 1  # it learned
    if channels in (1, 3):  # else the mean of all channels is measured
        return
    score = model.card.score("held-out")
    assert score == pytest.approx(psnr(expected[2:-2, 2:-2], high[2:-2, 2:-2] / 65535), abs=0.05)


@pytest.mark.parametrize("channels", [4, 5])
def test_all_bands_of_a_file_go_through_such_a_network_together(tmp_path: Path, channels: int) -> None:
    pytest.importorskip("rasterio")
    tifffile = pytest.importorskip("tifffile")
    torch.manual_seed(0)
    network = archs.create("swift", {"channels": 8, "layers": 3, "expansion": 16, "colours": channels})
    model = weights.save(network.eval(), tmp_path / "mixing-x2.onnx")
    levels = (waves(channels, 0) >> 8).astype(np.uint8)
    save(tmp_path / "in", levels)
    with Upscaler(model, execution=EXACT, consistent="none") as upscaler:
        upscale_file(tmp_path / "in.tif", tmp_path / "out.tif", upscaler)
        expected = upscaler(levels.astype(np.float32) / 255)
    result = tifffile.imread(tmp_path / "out.tif").astype(float)
    result = result.transpose(1, 2, 0) if result.shape[0] == channels else result
    assert np.abs(result - 255 * expected).max() <= 0.51
    with Upscaler("nearest", scale=2) as nearest:  # which a network of other channels leaves as they are
        upscale_file(tmp_path / "in.tif", tmp_path / "plain.tif", nearest)


def test_a_gray_network_takes_gray_as_it_is_and_colours_one_by_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = archs.create("edsr", {"blocks": 1, "features": 8, "colours": 1}).eval()
    model = weights.save(network, tmp_path / "gray-x2.onnx")
    rgb = waves(3, 1).astype(np.float32) / 65535
    with Upscaler(models.load(str(model.path)), execution=EXACT) as upscaler:
        together = upscaler(rgb)
        for k in range(3):
            np.testing.assert_allclose(together[..., k : k + 1], upscaler(rgb[..., k : k + 1]), atol=1e-6)


NETWORKS: dict[str, dict[str, Any]] = {
    "swift": {"channels": 8, "layers": 3, "expansion": 16},
    "compact": {"features": 8, "layers": 1},
    "restore": {"channels": 8, "layers": 2},
    "edsr": {"blocks": 1, "features": 8},
    "mdsr": {"blocks": 1, "features": 8},
    "srresnet": {"blocks": 1, "features": 8},
    "carn": {"features": 8},
    "carn-m": {"features": 16, "groups": 2, "recursive": True},
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("colours", [1, 2, 4])
def test_it_begins_as_nearest_neighbour_enlargement(name: str, colours: int) -> None:
    colours = 1 if name == "restore" else colours
    torch.manual_seed(0)
    arch = name.removesuffix("-m")
    network = archs.create(arch, {"scale": 2, "colours": colours, **NETWORKS[name]})
    assert network.ports.channels == colours
    x = torch.rand(2, colours, 7, 9)
    with torch.no_grad():
        output, deployed = network.eval()(x), network.deploy()(x)
    assert output.shape == (2, colours, 14, 18)
    torch.testing.assert_close(deployed, output, atol=2e-5, rtol=0)
    if arch in ("edsr", "mdsr", "srresnet", "carn"):  # the others begin with a random residual
        nearest = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        torch.testing.assert_close(output[..., 4:-4, 4:-4], nearest[..., 4:-4, 4:-4], atol=1e-5, rtol=0)


def test_a_gray_network_that_is_told_of_degradations(tmp_path: Path) -> None:
    changes = {
        "arch": "restore",
        "config": {"scale": 2, "scales": [2], "channels": 8, "layers": 2, "colours": 1},
        "data.degradation": "mixed",
        "steps": 4,
        "validate_every": 4,
    }
    (model,) = run(
        small(tmp_path, **changes),
        photos(tmp_path, 1),
        tmp_path / "held-out",
        tmp_path / "run",
        execution=Execution(threads=1),
    )
    assert model.card.condition
    assert model.card.ports.channels == 1
    with Upscaler(model, execution=EXACT) as upscaler:
        assert upscaler(waves(1, 1)).shape == (128, 144, 1)


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_crops_of_every_kind_of_degradation_have_all_channels(tmp_path: Path, channels: int) -> None:
    data = sources.degraded(photos(tmp_path, channels), 2, PRESETS["mixed"](2), tmp_path / "cache", channels)
    batch = data.batch(np.random.default_rng(0), 40, 12)
    assert (batch.low.shape, batch.high.shape) == ((40, channels, 12, 12), (40, channels, 24, 24))
    expected = batch.high.reshape(40, channels, 12, 2, 12, 2).mean((3, 5)) / 65535
    assert np.abs(batch.low / 65535 - expected).mean() < 0.1
    assert batch.labels is not None
    assert (batch.labels[:, list(LABELS).index("noise_chroma")] > 0).any() == (channels > 1)


def test_photos_in_colour_teach_a_gray_network_their_luma(tmp_path: Path) -> None:
    levels = waves(3, 0)
    save(tmp_path / "in/deep", levels)
    save(tmp_path / "in/plain", (levels >> 8).astype(np.uint8))
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache", channels=1)
    assert data.high.notes == ["2 of 2 images in colour, trained on as gray"]
    weights_of = np.array([0.299, 0.587, 0.114])
    assert data.high[0].shape == (64, 72, 1)
    assert np.abs(data.high[0][..., 0] - levels @ weights_of).max() <= 0.52
    assert data.high[0].dtype == np.uint16
    assert np.abs(data.high[1][..., 0] - (levels >> 8) @ weights_of).max() <= 0.51
    pillow = np.asarray(Pillow.fromarray((levels >> 8).astype(np.uint8)).convert("L"))
    assert np.abs(data.high[1][..., 0].astype(int) - pillow).max() <= 1
    assert color.gray(np.full((1, 1, 3), 255, np.uint8)).item() == 255


def test_sixteen_bits_are_trained_and_validated_on_as_they_are(tmp_path: Path) -> None:
    """Between two levels of 8 bit lies all that these photos show."""
    ramp = np.add.outer(np.arange(64), np.arange(72)).astype(np.uint16)[..., None]  # 135 levels of 65,535
    for k, place in enumerate(("held-out/0", "photos/0", "photos/1")):
        save(tmp_path / place, ramp + np.uint16(1000 + 7 * k))
    data = sources.pairs(tmp_path / "photos", 2, resize, tmp_path / "cache", channels=1)
    batch = data.batch(np.random.default_rng(0), 4, 12)
    assert batch.low.dtype == batch.high.dtype == np.uint16
    assert len(np.unique(batch.low[0])) > 12
    (pair,) = degraded([("ramp", Image.from_array(ramp))], 2)
    expected = np.clip(resize(ramp / 65535, 32, 36), 0, 1)
    np.testing.assert_allclose(pair.low.pixels, expected, atol=1e-7)  # validated on: no level is lost either
    changes = {"config.colours": 1, "steps": 4, "validate_every": 4}
    (model,) = run(
        small(tmp_path, **changes),
        tmp_path / "photos",
        tmp_path / "held-out",
        tmp_path / "run",
        execution=Execution(threads=1),
    )
    with Upscaler(model) as upscaler:
        assert upscaler(ramp + np.uint16(1000)).dtype == np.uint16
        upscale_file(tmp_path / "held-out/0.png", tmp_path / "large.png", upscaler)
    assert read(tmp_path / "large.png").metadata.depth == 16


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"config.colours": 4}, r"0\.png: it has 3 channels; expected 4"),
        ({"config.colours": 1, "loss": {"luma_psnr": 1.0}}, r"loss\.luma_psnr: sees RGB; the network's .* 1 channels"),
        (
            {"config.colours": 1, "data.patch": 16, "loss": {"l1": 1.0, "adversarial": 1.0}},
            "loss.adversarial: sees RGB",
        ),
        ({"arch": "espcn", "config": {"colours": 1}}, "config.colours: "),
        ({"arch": "restore", "config": {"colours": 4}}, "of 1 or 3 channels, not of 4"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    folder = photos(tmp_path, 3)
    with pytest.raises(SubpixelError, match=words) as caught:
        run(small(tmp_path, **changes), folder, tmp_path / "held-out", tmp_path / "run", execution=Execution(threads=1))
    assert "\n" not in str(caught.value)

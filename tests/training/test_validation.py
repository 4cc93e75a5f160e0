"""A validation sees the degradation of the training, or its pairs, one image at a time, and is tried before step 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from subpixel import archs
from subpixel.datasets.files import ImageFile
from subpixel.degradations import Chain, Degradation, Downsample, GaussianBlur, classical, real_world, to_dict
from subpixel.errors import DataError, SubpixelError
from subpixel.evaluation.evaluate import evaluate, evaluate_folder
from subpixel.images import Image, from_batch, to_batch, write
from subpixel.metrics.protocol import STANDARD
from subpixel.metrics.psnr import psnr
from subpixel.models import weights
from subpixel.nn.arch import Arch
from subpixel.runtimes import Execution
from subpixel.training import recipe, validation
from subpixel.training.run import run
from subpixel.training.validation import Validation
from subpixel.training.validation_set import ValidationSet

RECIPES = Path(__file__).parents[2] / "subpixel/recipes"
SMALL: dict[str, Any] = {
    "steps": 2, "validate_every": 2, "ema": 0.5, "data.batch": 2, "data.patch": 12, "init": "", "optim.lr": 1e-3,
}  # fmt: skip


def waves(height: int, width: int, phase: float) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / 6
    image = np.stack([np.sin(x + phase), np.cos(y * x / 5), np.sin(y - phase)], axis=-1) / 2 + 0.5
    return np.round(255 * image).astype(np.uint8)


def save(path: Path, levels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Image.from_array(levels))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """To validate on; those to train on lie beside, in `training`."""
    for k in range(2):
        save(tmp_path / f"photos/{k}.png", waves(73, 80 + 5 * k, k))
        save(tmp_path / f"training/{k}.png", waves(73, 80, k + 7))
    return tmp_path / "photos"


def shipped(name: str, **changes: Any) -> recipe.Recipe:
    return recipe.load(RECIPES / f"{name}.toml", SMALL | changes)


def upscaler(network: Arch) -> Callable[[Image], Image]:
    def upscale(low: Image) -> Image:
        with torch.inference_mode():
            return Image(np.clip(from_batch(network(torch.from_numpy(to_batch(low.pixels))).numpy()), 0, 1))

    return upscale


@pytest.mark.parametrize(
    ("setting", "degradation", "words"),
    [
        ("bicubic", classical(2), ""),
        ("real-world", real_world(2), "degradation: real-world (each image from its own seed); "),
        (
            to_dict(Chain((GaussianBlur(1.5), Downsample(2)))),
            Chain((GaussianBlur(1.5), Downsample(2))),
            f"degradation: {Chain((GaussianBlur(1.5), Downsample(2)))!r}; ",
        ),
    ],
    ids=["bicubic", "real-world", "own"],
)
def test_the_degradation_of_the_training(
    setting: object, degradation: Degradation, words: str, photos: Path, tmp_path: Path
) -> None:
    (model,) = run(
        shipped("espcn-x2", **{"data.degradation": setting}),
        tmp_path / "training",
        photos,
        tmp_path / "run",
        execution=Execution(threads=1),
    )
    report = evaluate_folder(upscaler(weights.network(model)), photos, 2, degradation=degradation)
    for metric in ("psnr", "ssim"):
        expected = report.mean("model", "photos", 2, metric)
        assert model.card.score("photos", metric) == pytest.approx(expected, abs=2e-3), metric
    assert {score.protocol for score in model.card.scores} == {f"{words}{STANDARD}"}


@pytest.fixture
def paired(tmp_path: Path) -> Path:
    """HR with a row and a column too many, and LR that is darker, as no degradation makes it."""
    for k, place in enumerate(("paired", "paired", "training-pairs")):
        levels = waves(73, 81, k)
        save(tmp_path / f"{place}/HR/{k}.png", levels)
        save(tmp_path / f"{place}/LR/{k}.png", levels[:72:2, :80:2] // 2)
    return tmp_path / "paired"


def test_the_pairs_of_the_training(paired: Path, photos: Path, tmp_path: Path) -> None:
    (model,) = run(
        shipped("espcn-x2"), tmp_path / "training-pairs", paired, tmp_path / "run", execution=Execution(threads=1)
    )
    values: list[float] = []
    for k in range(2):
        levels = waves(73, 81, k)[:72, :80]
        upscaled = upscaler(weights.network(model))(Image.from_array(levels[::2, ::2] // 2))
        values.append(psnr(*STANDARD.prepare(upscaled.pixels, levels / np.float32(255), 2)))
    assert model.card.score("paired") == pytest.approx(np.mean(values), abs=2e-3)
    assert {s.protocol for s in model.card.scores} == {f"degradation: low resolution from files; {STANDARD}"}
    with pytest.raises(DataError, match=r"photos has no low resolution, but the training data has; .*LR_x2"):
        run(shipped("espcn-x2"), paired, photos, tmp_path / "other")
    (trained,) = run(
        shipped("espcn-x2"), photos, paired, tmp_path / "made", execution=Execution(threads=1)
    )  # trained on bicubic: so validated
    report = evaluate_folder(upscaler(weights.network(trained)), paired / "HR", 2)
    assert trained.card.score("paired") == pytest.approx(report.mean("model", "HR", 2, "psnr"), abs=2e-3)


def refused(data: Path, validation: Path, folder: Path, **changes: Any) -> str:
    with pytest.raises(SubpixelError) as caught:
        run(shipped("espcn-x2", **changes), data, validation, folder)
    assert not folder.exists()  # nothing is packed yet, no step is done
    return str(caught.value)


def test_what_cannot_be_measured_is_told_before_the_first_step(photos: Path, paired: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held-out"
    save(held_out / "a.png", waves(40, 40, 0))
    save(held_out / "b.png", waves(15, 40, 0))
    message = refused(photos, held_out, tmp_path / "run")
    assert message == f"{held_out}/b.png: 40x15 pixels; a validation image needs 16 a side at x2"
    save(held_out / "b.png", waves(16, 40, 0))
    assert len(run(shipped("espcn-x2"), photos, held_out, tmp_path / "run", execution=Execution(threads=1))) == 1
    (held_out / "c.png").write_bytes((held_out / "a.png").read_bytes()[:20])
    assert f"{held_out}/c.png" in refused(photos, held_out, tmp_path / "second")
    (held_out / "c.png").unlink()
    (held_out / "a.png").write_bytes((held_out / "a.png").read_bytes()[:-200])  # its header is fine
    assert f"{held_out}/a.png" in refused(photos, held_out, tmp_path / "third")
    save(paired / "LR/1.png", waves(36, 42, 0))
    message = refused(tmp_path / "training-pairs", paired, tmp_path / "fourth")
    assert message == f"{paired}/LR/1.png: 42x36 pixels; expected 40x36, 1/2 of {paired}/HR/1.png"
    degradation = to_dict(Downsample(4))
    assert "expected 1/2 of the sides" in refused(
        tmp_path / "training", photos, tmp_path / "fifth", **{"data.degradation": degradation}
    )


def test_images_are_decoded_one_by_one_and_not_kept(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[str] = []
    decode = ImageFile.levels

    def levels(file: ImageFile, channels: int) -> np.ndarray:
        events.append(file.place.name)
        return decode(file, channels)

    monkeypatch.setattr(ImageFile, "levels", levels)
    network = archs.create("espcn", {"scale": 2})
    network.register_forward_hook(lambda *_: events.append("network"))
    measured = Validation({2: ValidationSet.find(photos, 2, classical(2))}, (2,), None, None)
    assert events == []
    measured.check(network)
    assert events == ["0.png", "network"]
    events.clear()
    first = measured(network, 1)
    assert events == ["0.png", "network", "1.png", "network"]
    assert measured(network, 2) == first
    assert len(events) == 8
    assert network.training


@pytest.mark.parametrize("name", ["swift", "edsr", "fsrcnn"])
def test_tiles_give_what_the_whole_image_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = archs.create(name, dict(vars(archs.find(name).EXAMPLE)))
    low = Image(np.random.default_rng(0).random((29, 41, 3), np.float32))
    whole = upscaler(network.eval())(low).pixels
    sides: list[int] = []
    network.register_forward_pre_hook(lambda _, inputs: sides.append(max(inputs[0].shape[2:])))
    monkeypatch.setattr(validation, "TILE", 7)
    np.testing.assert_allclose(validation._upscale(network.train(), low).pixels, whole, atol=2e-6)
    assert network.training
    assert len(sides) == 5 * 6
    assert max(sides) <= 7 + 2 * network.halo


def test_several_scales_are_measured_each_and_in_the_mean(photos: Path) -> None:
    network = archs.create("vdsr", {"layers": 3, "features": 8})
    sets = {scale: ValidationSet.find(photos, scale, classical(scale)) for scale in (2, 3)}
    scores = Validation(sets, (2, 3), None, None)(network, 1)
    for scale in (2, 3):
        upscale = upscaler(network.at_scale(scale).eval())
        report = evaluate(upscale, sets[scale].pairs(), scale, metrics={"psnr": psnr})
        assert scores[f"psnr_x{scale}"] == pytest.approx(report.means()[0].value, abs=1e-9)
    assert scores["psnr"] == pytest.approx((scores["psnr_x2"] + scores["psnr_x3"]) / 2)


def test_the_perceptual_distance_sees_rgb_and_needs_32_pixels(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reds:
        """In place of LPIPS: the difference of the first of three channels."""

        def distance(self, result: np.ndarray, reference: np.ndarray) -> float:
            assert result.shape[2] == 3
            return float(np.abs(result - reference)[..., 0].mean())

    monkeypatch.setattr("subpixel.training.validation.load_lpips", lambda path: Reds())
    network = archs.create("espcn", {"scale": 2})
    images = ValidationSet.find(photos, 2, classical(2))
    measured = Validation({2: images}, (2,), None, tmp_path / "lpips")
    upscale = upscaler(network.eval())
    pairs = [(upscale(pair.low).pixels, pair.high.pixels) for pair in images.pairs()]
    expected = np.mean([np.abs(a.astype(np.float64) - b)[2:-2, 2:-2, 0].mean() for a, b in pairs])
    assert measured(network, 1)["lpips"] == pytest.approx(expected, abs=1e-9)
    assert {score.metric for score in measured.scores(network)} == {"psnr", "ssim"}
    save(tmp_path / "photos/small.png", waves(34, 60, 0))
    with pytest.raises(DataError, match=r"small\.png: 60x34 pixels; a validation image needs 36 a side at x2"):
        Validation({2: ValidationSet.find(photos, 2, classical(2))}, (2,), None, tmp_path / "lpips").check(network)

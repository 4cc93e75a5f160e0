"""Training a network that is told of the degradation, with several scales, from photos to model files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from wavy_photos import write_photos

from subpixel import models
from subpixel.condition import CONDITION
from subpixel.datasets import sources
from subpixel.degradations.presets import compressed
from subpixel.errors import BadWeights, RecipeError
from subpixel.models import weights
from subpixel.runtimes import Execution
from subpixel.training import recipe
from subpixel.training.batches import batches
from subpixel.training.run import run

RECIPE = """
name = "told"
arch = "restore"
steps = 60
validate_every = 60
[config]
channels = 8
layers = 2
[data]
patch = 12
batch = 4
scales = [1, 2]
degradation = "compressed"
label_dropout = 0.3
[optim]
lr = 1e-2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("data"), 96, 104)


def loaded(tmp_path: Path, **changes: object) -> recipe.Recipe:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return recipe.load(tmp_path / "recipe.toml", changes)


def test_a_batch_tells_the_condition(folder: Path, tmp_path: Path):
    crops = {s: sources.degraded(folder, s, compressed(s), tmp_path / "cache") for s in (1, 2)}
    settings = loaded(tmp_path, **{"data.batch": 64})
    _, sample = next(batches(settings, crops, 0, "cpu", conditioned=True))
    assert sample.labels is not None
    told = dict(zip(CONDITION, sample.labels.numpy().T, strict=True))
    known = told["jpeg_unknown"] == 0
    assert (told["jpeg"][~known] == 0).all()
    assert ((told["jpeg"][known] >= 5 / 75 - 1e-6) & (told["jpeg"][known] <= 1)).all()  # quality 95 to 25
    assert 0.15 < 1 - known.mean() < 0.65  # 1 - 0.85 * 0.7 of 64
    _, plain = next(batches(settings, crops, 0, "cpu"))
    assert torch.equal(plain.low, sample.low)


def test_it_learns_to_listen(folder: Path, tmp_path: Path):
    small, large = run(
        loaded(tmp_path), folder, folder.with_name("held-out"), tmp_path / "run", execution=Execution(threads=1)
    )
    assert (small.card.name, large.card.name) == ("told-x1", "told-x2")
    assert models.load(tmp_path / "run/told-x2.onnx").card.condition is not None
    assert "degradation: compressed" in large.card.scores[0].protocol
    network = weights.network(large)
    x = torch.rand(1, 3, 16, 16)
    numbers = torch.zeros(2, 1, len(CONDITION))
    numbers[1, 0, CONDITION.index("jpeg")] = 1
    with torch.no_grad():
        assert (network(x, condition=numbers[0]) - network(x, condition=numbers[1])).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data.degradation": "bicubic"}, "has no labels"),
        ({"loss.l1": 1.0, "loss.output": "low"}, "'low'; the network has high"),
    ],
)
def test_what_is_refused_before_a_photo_is_packed(
    change: dict[str, object], message: str, folder: Path, tmp_path: Path
):
    with pytest.raises(RecipeError, match=message):
        run(
            loaded(tmp_path, **change),
            folder,
            folder.with_name("held-out"),
            tmp_path / "run",
            execution=Execution(threads=1),
        )
    assert not (tmp_path / "run").exists()


ADVERSARIAL = {
    "steps": 8, "validate_every": 8, "data.patch": 16, "loss.l1": 1.0, "loss.low_pass": 1.0, "loss.adversarial": 0.1,
    "gan.discriminator": "unet", "gan.features": 4,
}  # fmt: skip


def test_a_discriminator_of_pixels_judges_every_scale(folder: Path, tmp_path: Path):
    made = run(
        loaded(tmp_path, **ADVERSARIAL),
        folder,
        folder.with_name("held-out"),
        tmp_path / "run",
        execution=Execution(threads=1),
    )
    assert [model.card.name for model in made] == ["told-x1", "told-x2"]
    assert all(model.card.condition is not None for model in made)
    assert load_file(tmp_path / "run/last.safetensors")["discriminator.logit.weight"].shape == (1, 4, 3, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gan.discriminator": "vgg"}, "gan.discriminator unet"),
        ({"data.patch": 12}, "crops of 12 pixels at full size; expected a multiple of 8"),
        ({"loss.perceptual": 1.0}, "loss.perceptual: .*--lpips"),
    ],
)
def test_what_an_adversarial_training_refuses(change: dict[str, object], message: str, folder: Path, tmp_path: Path):
    settings = loaded(tmp_path, **(ADVERSARIAL | change))
    with pytest.raises(RecipeError, match=message):
        run(settings, folder, folder.with_name("held-out"), tmp_path / "run", execution=Execution(threads=1))
    assert not (tmp_path / "run").exists()


def test_a_file_of_weights_that_cannot_be_used_is_refused_before_a_photo_is_packed(folder: Path, tmp_path: Path):
    weights = tmp_path / "vgg.safetensors"
    weights.write_bytes(b"not weights")
    settings = loaded(tmp_path, **{"loss.content": 1.0})
    with pytest.raises(BadWeights, match=r"vgg\.safetensors"):
        run(
            settings,
            folder,
            folder.with_name("held-out"),
            tmp_path / "run",
            execution=Execution(threads=1),
            vgg=weights,
        )
    assert not (tmp_path / "run").exists()

"""The loop with every kind of network and loss, several processes, a killed process, a full disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from wavy_photos import held_out, write_photos

from subpixel import archs, models
from subpixel.datasets import sources
from subpixel.datasets.sample import Sample
from subpixel.errors import DataError, RecipeError, TrainingDiverged
from subpixel.images import read
from subpixel.losses import content, pixel
from subpixel.models import weights
from subpixel.resample import resize
from subpixel.runtimes import Execution
from subpixel.training import checkpoint, finite, initialization, loop, recipe
from subpixel.training.initialization import InitialWeights
from subpixel.training.objective import Objective, reduced
from subpixel.training.optim import build_ema
from subpixel.training.recipe import Loss, Recipe
from subpixel.training.run import run

RECIPES = Path(__file__).parents[2] / "subpixel/recipes"
SMALL: dict[str, Any] = {
    "steps": 4, "validate_every": 2, "ema": 0.5, "data.batch": 2, "data.patch": 12, "optim.lr": 1e-3,
    "schedule.warmup": 0, "schedule.kind": "constant", "schedule.milestones": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("data"), 120, 128)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first convolution of VGG19, with random weights."""
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    save_file({"features.0.weight": torch.randn(64, 3, 3, 3) / 30, "features.0.bias": torch.zeros(64)}, path)
    return path


def shipped(name: str, **changes: Any) -> Recipe:
    return recipe.load(RECIPES / f"{name}.toml", SMALL | {"init": ""} | changes)


def silent(network: object, step: int) -> dict[str, float]:
    """A validation that measures nothing."""
    return {"psnr": 0.0}


def logged(run_folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "changes", "scales"),
    [
        ("mdsr-base", {"config.blocks": 1, "config.features": 8}, (2, 3, 4)),
        ("lapsrn", {"config.scale": 8, "config.depth": 1, "config.features": 8}, (2, 4, 8)),
    ],
)
def test_a_network_of_several_scales_gives_a_model_for_each(
    name: str, changes: dict[str, Any], scales: tuple[int, ...], folder: Path, tmp_path: Path
) -> None:
    trained = run(shipped(name, steps=6, **changes), folder, held_out(folder), tmp_path, execution=Execution(threads=1))
    assert [(m.card.name, m.card.scale) for m in trained] == [(f"{name}-x{s}", s) for s in scales]
    if name == "lapsrn":  # each level's own weights, and no more (tests/archs/test_parameters.py has the formula)
        counts = [model.card.parameters for model in trained]
        assert counts == [counts[0], 2 * counts[0] - 9 * 8, 3 * counts[0] - 2 * 9 * 8]
    for model in trained:
        low = torch.rand(1, 3, 5, 6)
        assert weights.network(model)(low).shape == (1, 3, 5 * model.card.scale, 6 * model.card.scale)
        assert model.card.score("held-out", "ssim") is not None


def test_a_pyramid_has_a_loss_at_every_level() -> None:
    network = archs.create("lapsrn", {"scale": 4, "depth": 1, "features": 4})
    low, high = torch.rand(2, 3, 6, 6), torch.rand(2, 3, 24, 24)
    at2, at4 = (output for output, _ in network.outputs(low))
    expected = (at2 - reduced(high, 4, 2)).abs().mean() + (at4 - high).abs().mean()
    assert Objective(network, Loss(l1=1.0))(Sample(low, high), 4).item() == pytest.approx(expected.item(), rel=1e-6)  # pyright: ignore


def test_a_levels_target_is_matlabs_bicubic() -> None:
    high = np.random.default_rng(0).random((24, 32, 3), np.float32)
    target = reduced(torch.from_numpy(high).permute(2, 0, 1)[None], 4, 2)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(target[4:-4, 4:-4], np.clip(resize(high, 12, 16), 0, 1)[4:-4, 4:-4], atol=1e-5)


def test_the_sum_of_losses_is_weighted(vgg: Path) -> None:
    weights_of_terms = Loss(  # pyright: ignore[reportCallIssue]
        l1=0.5,
        l2=2.0,
        charbonnier=3.0,
        psnr=5.0,
        luma_psnr=6.0,
        total_variation=0.1,
        content=7.0,
        low_pass=8.0,
        lattice=9.0,
    )
    output, target = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    feature = content.load(vgg, "1_1")
    expected = (
        0.5 * pixel.l1(output, target)
        + 2 * pixel.l2(output, target)
        + 3 * pixel.charbonnier(output, target)
        + 5 * pixel.psnr(output, target)
        + 6 * pixel.luma_psnr(output, target)
        + 0.1 * pixel.total_variation(output)
        + 7 * feature(output, target)
        + 8 * (output.mean(dim=(2, 3)) - target.mean(dim=(2, 3))).abs().mean()
        + 9 * pixel.lattice(output, target)
    )
    network = archs.create("espcn", {"scale": 2})
    total = Objective(network, weights_of_terms, {"content": feature}).terms(output, target)
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(
    "kind",
    [
        {"gan.kind": "nonsaturating"},
        {"gan.kind": "relativistic", "gan.discriminator": "unet"},
        {"gan.kind": "least-squares", "optim.name": "soap"},
    ],
    ids=str,
)
def test_an_adversarial_training_resumes_bit_equal(
    kind: dict[str, object], folder: Path, vgg: Path, tmp_path: Path
) -> None:
    settings = shipped(
        "srgan-x4", **kind, **{"gan.features": 4, "gan.dense": 8, "loss.layer": "1_1"},
        **{"config.blocks": 1, "config.features": 8},
    )  # fmt: skip
    torch.set_num_threads(1)
    patch_sources = {4: sources.pairs(folder, 4, resize, tmp_path / "cache")}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    feature = content.load(vgg, "1_1")
    loop.train(settings, patch_sources, whole, validate=silent, features={"content": feature})

    def stop(network: object, step: int) -> dict[str, float]:
        raise KeyboardInterrupt  # of a step that is saved, with others to come

    with pytest.raises(KeyboardInterrupt):
        loop.train(settings, patch_sources, parts, validate=stop, features={"content": feature})
    loop.train(settings, patch_sources, parts, validate=silent, features={"content": feature})
    a, b = (load_file(f / "last.safetensors") for f in (whole, parts))
    assert a.keys() == b.keys()
    assert [key for key in a if not torch.equal(a[key], b[key])] == []
    assert any(key.startswith("discriminator.") for key in a)


def test_an_adversarial_recipe_is_checked_first(folder: Path, vgg: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="--vgg"):
        run(shipped("srgan-x4"), folder, held_out(folder), tmp_path)
    with pytest.raises(RecipeError, match="multiple of 16"):
        run(shipped("srgan-x4", **{"data.patch": 13, "loss.layer": "1_1"}), folder, held_out(folder), tmp_path, vgg=vgg)


def test_edsr_x3_takes_the_body_of_x2_and_not_its_tail(tmp_path: Path) -> None:
    config = {"blocks": 2, "features": 8}
    x2 = archs.create("edsr", {"scale": 2, **config})
    path = tmp_path / "edsr-tiny-x2.onnx"
    init = InitialWeights.from_models([weights.save(x2, path)])
    settings = shipped("edsr-base-x3", **{"config.blocks": 2, "config.features": 8})
    x3 = initialization.build_network(settings, init, "cpu")
    x = torch.rand(1, 3, 7, 6)
    deployed = x2.deploy()
    with torch.no_grad():
        torch.testing.assert_close(x3.body(x3.head(x3.input(x))), deployed.body(deployed.head(deployed.input(x))))
    fresh = initialization.build_network(settings, None, "cpu").deploy()
    assert all(torch.equal(a, b) for a, b in zip(x3.tail.parameters(), fresh.tail.parameters(), strict=True))
    loaded = initialization.load_fitting(x3, init.weights)
    assert {name.split(".")[0] for name in loaded} == {"head", "body"}
    assert initialization.initial_state(x3, replace(init, steps=7, hours=2.0)) == checkpoint.TrainState(deployed=True)


def test_one_model_file_does_not_start_a_network_of_several_scales(folder: Path, tmp_path: Path) -> None:
    settings = shipped("mdsr-base", **{"config.blocks": 1, "config.features": 8, "init": "mdsr-base-x2"})
    expected = r"init: the model mdsr-base-x2 has one scale, data.scales \(2, 3, 4\); .*\{scale\}.*safetensors"
    with pytest.raises(RecipeError, match=expected):
        run(settings, folder, held_out(folder), tmp_path)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("carn", {"config.features": 8}),
        ("mdsr-base", {"config.blocks": 1, "config.features": 8}),
        ("vdsr", {"config.layers": 3, "config.features": 8}),
    ],
)
def test_training_goes_on_from_the_models_of_all_scales(
    name: str, changes: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    settings = shipped(name, **changes)
    first = run(settings, folder, held_out(folder), tmp_path / "first")
    assert [model.card.scale for model in first] == [2, 3, 4]
    again = settings.model_copy(update={"init": str(tmp_path / f"first/{name}-x{recipe.SCALE}.onnx")})
    network = initialization.build_network(again, InitialWeights.from_models(first), "cpu")
    x = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        for model in first:
            torch.testing.assert_close(network.at_scale(model.card.scale)(x), weights.network(model)(x))
    for before, after in zip(first, run(again, folder, held_out(folder), tmp_path / "second"), strict=True):
        assert (after.card.parameters, after.card.steps) == (before.card.parameters, 2 * before.card.steps)
        assert any(not torch.equal(v, weights.state(after)[k]) for k, v in weights.state(before).items())


def test_a_pyramid_goes_on_from_its_largest_model_with_every_level(tmp_path: Path) -> None:
    settings = shipped("lapsrn", **{"config.depth": 1, "config.features": 8, "init": ""})
    untrained = initialization.build_network(settings, None, "cpu")
    init = InitialWeights.from_models([weights.save(untrained, tmp_path / "tiny-x8.onnx")])
    network = initialization.build_network(settings, init, "cpu")
    x = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        pairs = list(zip(network.outputs(x), untrained.outputs(x), strict=True))
    assert [scale for _, (_, scale) in pairs] == [2, 4, 8]
    for (output, scale), (expected, scale_before) in pairs:
        assert scale == scale_before
        torch.testing.assert_close(output, expected)
        assert network.at_scale(scale).deploy().supported_scales == (scale,)


def test_models_of_two_networks_do_not_start_one(folder: Path, tmp_path: Path) -> None:
    config = {"config.layers": 3, "config.features": 8}
    for seed in (0, 1):
        run(shipped("vdsr", seed=seed, **config), folder, held_out(folder), tmp_path / str(seed))
    mixed = [models.load(tmp_path / path) for path in ("0/vdsr-x2.onnx", "1/vdsr-x3.onnx")]
    with pytest.raises(RecipeError, match=r"vdsr-x3.onnx has another .*; expected the scales of one network"):
        InitialWeights.from_models(mixed)


def test_training_goes_on_from_a_model_file_where_it_was(folder: Path, tmp_path: Path) -> None:
    settings = shipped("swift-x2", **{"config.channels": 16, "config.layers": 3})
    (first,) = run(settings, folder, held_out(folder), tmp_path / "first")
    again = settings.model_copy(update={"init": str(first.path), "name": "again"})
    network = initialization.build_network(again, InitialWeights.from_models([first]), "cpu")
    x = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(network(x), weights.network(first)(x))
    (second,) = run(again, folder, held_out(folder), tmp_path / "second")
    assert second.card.parameters == first.card.parameters
    third_settings = settings.model_copy(update={"init": str(tmp_path / "second/last.safetensors"), "name": "third"})
    (third,) = run(third_settings, folder, held_out(folder), tmp_path / "third")
    assert [model.card.steps for model in (first, second, third)] == [4, 8, 12]
    long = InitialWeights.from_models(
        [models.Model(first.path, first.card.model_copy(update={"hours": 5.0}), first.graph)]
    )
    expected = checkpoint.TrainState(hours=5.0, initial_steps=4, deployed=True)
    assert initialization.initial_state(network, long) == expected
    with pytest.raises(RecipeError, match=r"only \d+ of \d+ \(not: .*\) weights fit espcn"):
        run(shipped("espcn-x3", init=str(first.path)), folder, held_out(folder), tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("swift-x2", {"config.channels": 16, "config.layers": 3}),
        ("fsrcnn-x2", {}),
        ("edsr-base-x2", {"config.blocks": 1, "config.features": 8}),
    ],
)
def test_a_run_that_began_with_a_model_file_is_gone_on_from(
    name: str, changes: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    """Its checkpoint holds the deploy form, whose weights may have the names and not the meaning of the training's."""
    settings = shipped(name, **changes)
    (first,) = run(settings, folder, held_out(folder), tmp_path / "first")
    (second,) = run(
        settings.model_copy(update={"init": str(first.path)}), folder, held_out(folder), tmp_path / "second"
    )
    last = tmp_path / "second" / "last.safetensors"
    third = initialization.build_network(settings, InitialWeights.from_run(last), "cpu")
    x = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(third(x), weights.network(second)(x), rtol=0, atol=1e-5)
    (fourth,) = run(settings.model_copy(update={"init": str(last)}), folder, held_out(folder), tmp_path / "third")
    assert fourth.card.parameters == first.card.parameters


def test_weights_that_are_no_checkpoint_start_nothing(tmp_path: Path) -> None:
    save_file({"ema.module.tail.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"other\.safetensors holds weights, but is no checkpoint.*last\.safetensors"):
        InitialWeights.from_run(tmp_path / "other.safetensors")


def test_fine_tuning_treats_every_pixel_alike(folder: Path, tmp_path: Path) -> None:
    """The deployed tail computes 2x2 pixels at a time; trained like that, a tile would depend on where it begins."""
    settings = shipped("fsrcnn-x2")
    (first,) = run(settings, folder, held_out(folder), tmp_path / "first")
    (second,) = run(
        settings.model_copy(update={"init": str(first.path)}), folder, held_out(folder), tmp_path / "second"
    )
    network, halo = weights.network(second), second.card.halo
    x = torch.rand(1, 3, 2 * halo + 5, 2 * halo + 5)
    inside = slice(2 * halo, -2 * halo)
    with torch.no_grad():
        whole, moved = network(x)[..., 2:, 2:], network(x[..., 1:, 1:])
        before = weights.network(first)(x)[..., 2:, 2:]
    torch.testing.assert_close(moved[..., inside, inside], whole[..., inside, inside], rtol=0, atol=1e-5)
    assert (whole - before).abs().max() > 1e-3  # it has learned something


def test_what_a_run_leaves(folder: Path, tmp_path: Path) -> None:
    settings = shipped("espcn-x2", steps=6)
    run(settings, folder, held_out(folder), tmp_path)
    lines = logged(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 6]
    parts = {"ema": build_ema(archs.create("espcn", {"scale": 2}), 0.5)}
    state = checkpoint.restore(tmp_path / "best.safetensors", parts)
    assert state.hours > 0
    assert (state.best, state.step) == max((line["psnr"], line["step"]) for line in lines)
    sample = read(tmp_path / "samples/step-0000006.png")
    assert sample.pixels.shape[1] == 3 * sample.pixels.shape[0]
    low = read(tmp_path / "samples/step-0000002.png").pixels
    width = low.shape[1] // 3
    assert np.array_equal(low[:, 2 * width :], sample.pixels[:, 2 * width :])  # the photo
    assert not np.array_equal(low[:, width : 2 * width], sample.pixels[:, width : 2 * width])  # the network


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_resumes_bit_equal(folder: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "subpixel", "train", str(RECIPES / "swift-x2.toml"), "--data", str(folder),
        "--validation", str(held_out(folder)), "--threads", "1", "--set", "init=", "--set", "config.channels=16",
        "--set", "config.layers=3", "--set", "data.patch=12", "--set", "data.batch=2", "--set", "steps=200",
        "--set", "validate_every=100",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([*command, "--run", str(tmp_path / "killed")], env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed/log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert [line["step"] for line in logged(tmp_path / "killed")] == [100]
    for name in ("killed", "whole"):
        subprocess.run([*command, "--run", str(tmp_path / name)], env=environment, check=True, capture_output=True)
    a, b = (load_file(tmp_path / name / "last.safetensors") for name in ("killed", "whole"))
    assert all(torch.equal(a[key], b[key]) for key in b)
    assert [line["step"] for line in logged(tmp_path / "killed")] == [100, 200]


def test_two_processes_train_one_network(folder: Path, tmp_path: Path) -> None:
    """Two processes with batches of 2 do one step as one process with both batches does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys, torch; from pathlib import Path; from subpixel.training import recipe; "
        "from subpixel.runtimes import Execution; from subpixel.training.run import run; "
        "settings = recipe.load(Path(sys.argv[1]), eval(sys.argv[4])); "
        "run(settings, Path(sys.argv[2]), Path(sys.argv[5]), Path(sys.argv[3]), execution=Execution(threads=1))"
    )
    changes = SMALL | {"steps": 1, "ema": 0.0, "config.layers": 3, "config.features": 8}
    changes |= {"optim.name": "adam", "optim.clip": 0.0, "init": ""}
    arguments = [str(RECIPES / "vdsr.toml"), str(folder), str(tmp_path / "run"), repr(changes), str(held_out(folder))]
    group = [
        subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "RANK": str(k), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
            stderr=subprocess.PIPE, text=True,
        )
        for k in range(2)
    ]  # fmt: skip
    errors = [process.communicate(timeout=200)[1] for process in group]
    assert [process.returncode for process in group] == [0, 0], errors
    tensors = load_file(tmp_path / "run/last.safetensors")

    settings = recipe.load(RECIPES / "vdsr.toml", changes)
    network = initialization.build_network(settings, None, "cpu")
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.optim.lr)
    optimizer.zero_grad()
    scale = settings.scales[int(np.random.default_rng([settings.seed, 0]).integers(3))]
    pairs = sources.pairs(folder, scale, resize, tmp_path / "cache")
    for rank in range(2):
        batch = pairs.batch(np.random.default_rng([settings.seed, 0, rank]), 2, 12)
        sample = Sample(*(torch.from_numpy(pixels).float() / 255 for pixels in (batch.low, batch.high)))
        (Objective(network, settings.loss)(sample, scale) / 2).backward()
    optimizer.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(tensors[f"model.{name}"], value, atol=2e-5, rtol=0)
    assert len(logged(tmp_path / "run")) == 1  # one of the two writes


def test_a_broken_layer_is_named() -> None:
    network = archs.create("espcn", {"scale": 2})
    network.body[2].weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingDiverged, match=r"at step 7, first the output of layer body\.2; lower optim\.lr"):
        finite.check(7, float("nan"), 1.0, network, torch.rand(1, 3, 6, 6))
    network.body[0].weight.grad = torch.full_like(network.body[0].weight, float("inf"))
    with pytest.raises(TrainingDiverged, match=r"gradient is inf at step 8, in body\.0\.weight"):
        finite.check(8, 1.0, float("inf"), network, torch.rand(1, 3, 6, 6))


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, network = tmp_path / "last.safetensors", nn.Linear(2, 2)
    checkpoint.save(path, {}, checkpoint.TrainState(1), {"model": network})
    before = path.read_bytes()

    def full(*_: object) -> None:
        Path(str(_[1])).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(DataError, match=r"step 2: .*No space left.*the checkpoint before is kept; make room"):
        checkpoint.save(path, {}, checkpoint.TrainState(2), {"model": network})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_keys_are_met_with_the_nearest(tmp_path: Path) -> None:
    for changes, words in [
        ({"optim.lrr": 1.0}, "did you mean 'lr'"),
        ({"los": 1.0}, "did you mean 'loss'"),
        ({"loss.l1": 0.0}, "at least one term"),
        ({"data.scales": [2, 5]}, None),
    ]:
        path = tmp_path / "page.toml"
        path.write_text((RECIPES / "mdsr-base.toml").read_text())
        if words:
            with pytest.raises(RecipeError, match=words):
                recipe.load(path, changes)
        else:
            with pytest.raises(RecipeError, match=r"data\.scales.*not x5"):
                initialization.build_network(recipe.load(path, changes), None, "cpu")


def test_models_of_the_package_remember_their_recipe() -> None:
    for name in models.names():
        card = models.load(name).card
        path = next(p for n in (name, card.family) if (p := RECIPES / f"{n}.toml").exists())
        assert card.recipe == recipe.load(path).digest, name

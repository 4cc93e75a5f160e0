"""Training: the loss falls, a run resumes exactly, and mistakes are told before the first step."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from wavy_photos import held_out, write_photos

from subpixel import models
from subpixel.datasets import sources
from subpixel.datasets.packed import pack
from subpixel.datasets.pairs import dihedral
from subpixel.datasets.sample import Sample
from subpixel.degradations import Degradation
from subpixel.errors import BadRequest, DataError, RecipeError, RuntimeUnavailable, SubpixelError, TrainingDiverged
from subpixel.images import Floats, Image, write
from subpixel.resample import resize
from subpixel.runtimes import Execution
from subpixel.training import loop, optim, recipe
from subpixel.training.batches import batches
from subpixel.training.initialization import build_network
from subpixel.training.model_files import model_file
from subpixel.training.objective import Objective
from subpixel.training.recipe import Recipe
from subpixel.training.recorder import Progress
from subpixel.training.run import run

RECIPE = """
name = "tiny-x2"
arch = "swift"
steps = 40
validate_every = 20
ema = 0.9
[config]
scale = 2
channels = 16
layers = 3
[data]
patch = 12
batch = 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("data"), 64, 72, 3)


def silent(network: object, step: int) -> dict[str, float]:
    """A validation that measures nothing."""
    return {"psnr": 0.0}


def small_recipe(tmp_path: Path, text: str = RECIPE, **changes: object) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return recipe.load(path, changes)


def test_a_run_learns_and_ends_with_a_model(folder: Path, tmp_path: Path) -> None:
    (model,) = run(
        small_recipe(tmp_path, steps=200, validate_every=100),
        folder,
        held_out(folder),
        tmp_path / "run",
        execution=Execution(threads=1),
    )
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [100, 200]
    assert lines[1]["loss"] < lines[0]["loss"]
    assert lines[1]["psnr"] > 30
    assert (model.card.name, model.card.steps, model.card.data) == ("tiny-x2", 200, sources.digest(folder))


@pytest.mark.parametrize("optimiser", ["adam", "soap"])
@pytest.mark.parametrize("network", [{}, {"arch": "espcn", "config": {"scale": 2}}], ids=["swift", "espcn"])
def test_resuming_is_bit_equal(folder: Path, tmp_path: Path, network: dict[str, object], optimiser: str) -> None:
    torch.set_num_threads(1)
    settings = small_recipe(tmp_path, **network, **{"optim.name": optimiser})
    pairs = sources.pairs(folder, 2, resize, tmp_path / "cache")
    whole = loop.train(settings, {2: pairs}, tmp_path / "whole", validate=silent)

    def stop(network: object, step: int) -> dict[str, float]:
        raise KeyboardInterrupt  # of step 20, which is saved: the bases of SOAP are refreshed twice after it

    with pytest.raises(KeyboardInterrupt):
        loop.train(settings, {2: pairs}, tmp_path / "parts", validate=stop)
    resumed = loop.train(settings, {2: pairs}, tmp_path / "parts", validate=silent)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


@dataclass(frozen=True)
class Dim(Degradation):
    """Half the size and darker, by a factor drawn from [0.2, 0.9]; a network is to learn what was taken away."""

    factor: float = 0.0

    def sample(self, rng: np.random.Generator) -> Dim:
        return Dim(float(rng.uniform(0.2, 0.9)))

    def apply(self, pixels: Floats, rng: np.random.Generator) -> Floats:
        return pixels[::2, ::2] * np.float32(self.factor)

    def labels(self, gray: bool = False) -> Floats:
        return np.array([1 - self.factor], np.float32)


class DimmedBy(Objective):
    """The squared error of the network's mean as an estimate of the label."""

    def forward(self, sample: Sample[torch.Tensor], scale: int) -> torch.Tensor:
        assert sample.labels is not None
        assert sample.labels.shape == (len(sample.low), 1)
        torch.testing.assert_close(sample.low.mean(dim=(1, 2, 3)), 1 - sample.labels[:, 0], rtol=0, atol=0.5 / 255)
        return ((self.network(sample.low).mean(dim=(1, 2, 3)) - sample.labels[:, 0]) ** 2).mean()


def test_what_was_drawn_from_the_degradation_reaches_the_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "white").mkdir()
    write(tmp_path / "white/a.png", Image(np.ones((40, 40, 3), np.float32)))
    source = sources.degraded(tmp_path / "white", 2, Dim(), tmp_path / "cache")
    monkeypatch.setattr(loop, "Objective", DimmedBy)
    losses: list[float] = []
    settings = small_recipe(tmp_path, steps=60, **{"optim.lr": 1e-2})
    loop.train(settings, {2: source}, tmp_path / "run", validate=silent, show=lambda p: losses.append(p.loss))
    assert np.mean(losses[-10:]) < np.mean(losses[:5]) / 10


def test_progress_has_the_loss_the_rate_and_the_gradient_of_each_step(folder: Path, tmp_path: Path) -> None:
    settings = small_recipe(tmp_path, steps=3, **{"optim.clip": 1e-4, "schedule.warmup": 10})
    pairs = {2: sources.pairs(folder, 2, resize, tmp_path / "cache")}
    steps: list[Progress] = []
    loop.train(settings, pairs, tmp_path / "run", validate=silent, show=steps.append)
    network = build_network(settings, None, "cpu")
    _, sample = next(batches(settings, pairs, 0, "cpu"))
    loss = Objective(network, settings.loss)(sample, 2)
    loss.backward()
    squares = [float((parameter.grad**2).sum()) for parameter in network.parameters()]
    assert steps[0].loss == pytest.approx(loss.item(), rel=1e-5)
    assert steps[0].grad_norm == pytest.approx(sum(squares) ** 0.5, rel=1e-4)  # not what the clip leaves of it
    assert [p.lr for p in steps] == pytest.approx([1e-4, 2e-4, 3e-4])
    assert [(p.step, p.steps, bool(p.scores)) for p in steps] == [(1, 3, False), (2, 3, False), (3, 3, True)]
    assert [p.seconds_left * p.rate for p in steps] == pytest.approx([2, 1, 0])


def test_runs_share_the_decoded_photos(folder: Path, tmp_path: Path) -> None:
    settings, cache = small_recipe(tmp_path, steps=2), tmp_path / "cache"
    run(settings, folder, held_out(folder), tmp_path / "one", execution=Execution(threads=1), cache=cache)
    packed = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    run(settings, folder, held_out(folder), tmp_path / "two", execution=Execution(threads=1), cache=cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == packed
    assert len(packed) == 4  # high and low resolution, each with its index
    assert not (tmp_path / "two/cache").exists()


def test_another_recipe_does_not_continue_a_run(folder: Path, tmp_path: Path) -> None:
    pairs = sources.pairs(folder, 2, resize, tmp_path / "cache")
    loop.train(small_recipe(tmp_path), {2: pairs}, tmp_path / "run", validate=silent)
    with pytest.raises(DataError, match="belongs to another recipe"):
        loop.train(small_recipe(tmp_path, seed=1), {2: pairs}, tmp_path / "run", validate=silent)


def test_crops_are_aligned_and_turned_alike(folder: Path, tmp_path: Path) -> None:
    nearest = sources.pairs(folder, 2, lambda p, h, w: p[::2, ::2], tmp_path / "cache")
    batch = nearest.batch(np.random.default_rng(0), 16, 10)
    low, high = batch.low, batch.high
    corners = [high[:, :, a::2, b::2] for a in (0, 1) for b in (0, 1)]
    for k in range(16):  # turning moves the sampled corner, never the crop
        assert any(np.array_equal(low[k], corner[k]) for corner in corners)
    square = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert len({dihedral(square, k).tobytes() for k in range(8)}) == 8


def test_schedules_by_hand(tmp_path: Path) -> None:
    cosine = small_recipe(tmp_path, **{"optim.lr": 1.0, "schedule.warmup": 10, "schedule.floor": 0.0, "steps": 110})
    rates = [optim.learning_rate(cosine, k) for k in (0, 9, 10, 60, 110)]
    assert rates == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.0])
    steps = small_recipe(tmp_path, **{"optim.lr": 1.0, "schedule.kind": "steps", "schedule.milestones": [5, 8]})
    assert [optim.learning_rate(steps, k) for k in (4, 5, 8)] == [1.0, 0.5, 0.25]


def test_a_loss_that_is_not_finite_stops_the_run(folder: Path, tmp_path: Path) -> None:
    pairs = sources.pairs(folder, 2, resize, tmp_path / "cache")
    with pytest.raises(TrainingDiverged, match=r"lower optim\.lr .*: from the last checkpoint, if the run has one"):
        loop.train(small_recipe(tmp_path, **{"optim.lr": 1e30}), {2: pairs}, tmp_path / "run", validate=silent)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optim.lrr": 1.0}, "optim.lrr"),
        ({"steps": "many"}, "steps"),
        ({"config.width": 3}, "config.width"),
        ({"config.scale": 7}, "config.scale"),
        ({"seed": -1}, "seed: Input should be greater"),
        ({"seed": 10**20}, "seed: Input should be less"),
        ({"optim.betas": [2.0, 3.0]}, r"optim\.betas\.0: .* less than 1"),
        ({"optim.betas": [0.9, 1.0]}, r"optim\.betas\.1: .* less than 1"),
        ({"optim.betas": [-0.1, 0.9]}, r"optim\.betas\.0: .* greater"),
        ({"optim.betas": [0.9, math.nan]}, r"optim\.betas\.1: "),
        ({"optim.lr": math.inf}, r"optim\.lr: .* finite"),
        ({"loss.custom": {"os:getcwd": -0.1}}, r"loss\.custom\.os:getcwd: .* greater"),
        ({"loss.custom": {"os:getcwd": math.nan}}, r"loss\.custom\.os:getcwd: .* finite"),
        ({"schedule.milestones": [-3]}, r"schedule\.milestones\.0: .* greater"),
        ({"schedule.gamma": math.inf}, r"schedule\.gamma: .* finite"),
        ({"arch": "edsr", "config": {"scale": 2, "features": 0}}, "config: no edsr can be built with .*'features': 0"),
        ({"arch": "srcnn", "config": {"scale": 2, "features": [0, 0]}}, "config: no srcnn can be built with"),
        ({"arch": "vdsr", "config": {"scale": 2, "layers": 1}}, "config: no vdsr can be built with .*'layers': 1"),
        ({"arch": "toy_networks:WithoutHalo", "config": {"scale": 2}}, "can be built with .* halo"),
    ],
)
def test_a_wrong_recipe_names_the_key(folder: Path, tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        loop.train(
            small_recipe(tmp_path, **changes),
            {2: sources.pairs(folder, 2, resize, tmp_path / "c")},
            tmp_path / "run",
            validate=silent,
        )
    assert "\n" not in str(caught.value)


def test_wrong_data_is_told_before_the_first_step(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="smaller than the patch of 48"):
        run(small_recipe(tmp_path, **{"data.patch": 48}), folder, held_out(folder), tmp_path / "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        run(small_recipe(tmp_path), tmp_path / "empty", held_out(folder), tmp_path / "run")
    (tmp_path / "empty/broken.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(DataError, match=r"broken\.png"):
        run(small_recipe(tmp_path), tmp_path / "empty", held_out(folder), tmp_path / "run")
    for device in ("foo", "mps", "meta", "cuda:0"):
        with pytest.raises(BadRequest, match=f"device '{device}'; expected cpu or cuda"):
            run(small_recipe(tmp_path), folder, held_out(folder), tmp_path / "run", execution=Execution(device=device))
    with pytest.raises(BadRequest, match="runtime 'openvino'; networks are trained by torch alone"):
        run(small_recipe(tmp_path), folder, held_out(folder), tmp_path / "run", execution=Execution("openvino"))
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeUnavailable, match="CUDA"):
            run(small_recipe(tmp_path), folder, held_out(folder), tmp_path / "run", execution=Execution(device="cuda"))


CUSTOM = """
from dataclasses import dataclass
from torch import Tensor, nn
from subpixel.nn.arch import Arch, Paper
from subpixel.nn.upsampling import SubPixelConv
from subpixel.runtimes import Execution

@dataclass(frozen=True)
class Config:
    scale: int = 2
    features: int = 4

class Net(Arch[Config]):
    paper = Paper("Mine", 2026)
    EXAMPLE = Config()
    halo = 1

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.tail = SubPixelConv(3, 3, 3, config.scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.tail(x)

def doubled(output: Tensor, target: Tensor) -> Tensor:
    return 2 * (output - target).abs().mean()
"""


def test_custom_networks_and_losses(folder: Path, tmp_path: Path) -> None:
    """From the current folder, through the command line, in a process of its own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/net.py").write_text(CUSTOM)
    page = RECIPE.split("[config]")[0].replace('"swift"', '"mine.net:Net"') + "[data]\npatch = 12\nbatch = 4\n"
    (tmp_path / "a.toml").write_text(page + "[loss]\nl1 = 1.0\n")
    (tmp_path / "b.toml").write_text(page + '[loss]\ncustom = { "mine.net:doubled" = 0.5 }\n')
    code = "import sys; sys.path.remove(''); from subpixel.cli import main; main(sys.argv[1:])"
    for name in ("a", "b"):
        places = ["--data", str(folder), "--validation", str(held_out(folder)), "--run", name]
        more = ["--set", "steps=2", "--set", "validate_every=2", "--threads", "1"]
        command = [sys.executable, "-c", code, "train", f"{name}.toml", *places, *more]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert models.load(tmp_path / "a/tiny-x2.onnx").card.arch == "mine.net:Net"
    losses = [json.loads((tmp_path / name / "log.jsonl").read_text())["loss"] for name in ("a", "b")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # half of the double
    with pytest.raises(
        RecipeError, match=r"^mine\.net:Net is in a module that is not imported; import mine\.net first"
    ):
        model_file(str(tmp_path / "a/last.safetensors"))


def test_a_module_that_exits_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_script.py").write_text("raise SystemExit('usage: a_script [-h] FILE')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match=r"cannot import 'a_script': SystemExit: usage: a_script \[-h\] FILE$"):
        run(small_recipe(tmp_path, arch="a_script:Net"), folder, held_out(folder), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arch": "no_such_module:Net"}, "arch: cannot import 'no_such_module': ModuleNotFoundError"),
        ({"loss.custom": {"no_such_module:edge": 1.0}}, "loss.custom: cannot import 'no_such_module'"),
        ({"arch": "json:Net"}, "unknown architecture in json 'Net'; known: none"),
        ({"arch": "toy_networks:WithoutPaper"}, "arch: toy_networks:WithoutPaper has no paper"),
        ({"arch": "json:JSONDecoder"}, "json:JSONDecoder is no class of that module derived from"),
        ({"arch": "toy_networks:Confg"}, "unknown architecture in toy_networks 'Confg'"),
        (
            {"arch": "toy_networks:Small", "config": {"scale": 2}},
            r"arch: Small makes \(1, 3, 8, 8\) here; expected \(1, 3, 16, 16\)",
        ),
        ({"loss.custom": {"os:getcwd": 1.0}}, r"loss\.custom: os:getcwd of output and target: TypeError"),
        ({"loss.custom": {"torch:stack": 1.0}}, r"loss\.custom: torch:stack of output and target: TypeError"),
        (
            {"loss.custom": {"torch:sub": 1.0}},
            r"loss\.custom: torch:sub gives \(4, 3, 24, 24\); expected a tensor of one",
        ),
        ({"loss.custom": {"json:edge": 1.0}}, r"loss\.custom: 'json:edge'; expected module:function"),
        ({"loss.custom": {"edge": 1.0}}, r"loss\.custom: 'edge'; expected module:function"),
    ],
)
def test_own_names_that_lead_nowhere(folder: Path, tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(SubpixelError, match=words):
        run(small_recipe(tmp_path, **changes), folder, held_out(folder), tmp_path / "run")


@pytest.mark.parametrize(
    "path",
    sorted(Path(__file__).parents[2].glob("subpixel/recipes/**/*.toml")),
    ids=lambda p: f"{p.parent.name}-{p.stem}",
)
def test_every_shipped_recipe_can_be_read(path: Path) -> None:
    assert recipe.load(path).name == path.stem


# ---- recipes and run folders that are cut, deep or wander off


@pytest.mark.parametrize("name", ["../outside", "/tmp/x", "a/b", "a\\b", ".hidden", "", "a\nb"])
def test_a_name_that_leaves_the_run_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match=r"name: .*is no name") as caught:
        small_recipe(tmp_path, name=name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["arch.foo", "steps.a.b", "config.scale.x"])
def test_a_change_below_a_value_is_refused(tmp_path: Path, key: str) -> None:
    small_recipe(tmp_path)
    with pytest.raises(RecipeError, match=f"{key}: .* is one value; expected a section"):
        recipe.load(tmp_path / "recipe.toml", {key: 1})


def test_recipes_that_nest_for_ever_or_are_no_files(tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    for text in ("a = " + "[" * 10**4, "a = " + "{a=" * 10**4, "[" + ".".join("a" * 3000) + "]"):
        path.write_text(text)
        with pytest.raises(RecipeError) as caught:
            recipe.load(path)
        assert "\n" not in str(caught.value)
    os.mkfifo(tmp_path / "fifo.toml")
    with pytest.raises(RecipeError, match="it is no file"):
        recipe.load(tmp_path / "fifo.toml")
    with pytest.raises(RecipeError, match=r"nope\.toml: no such file$"):
        recipe.load(tmp_path / "nope.toml")


def test_a_run_folder_that_was_cut_is_one_line(tmp_path: Path, folder: Path) -> None:
    settings = small_recipe(tmp_path, steps=20)
    run(settings, folder, held_out(folder), tmp_path / "run")
    last = tmp_path / "run/last.safetensors"
    whole = last.read_bytes()
    with safe_open(last, "pt") as file:
        header, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for keep in (0, 5, 300, len(whole) // 2, len(whole) - 1):
        last.write_bytes(whole[:keep])
        with pytest.raises(DataError, match="cannot read the checkpoint"):
            run(settings, folder, held_out(folder), tmp_path / "run")
    for part in ("model", "ema", "optimizer"):
        save_file({k: v for k, v in tensors.items() if not k.startswith(part)}, last, header)
        with pytest.raises(DataError, match=f"does not fit the run's {part}"):
            run(settings, folder, held_out(folder), tmp_path / "run")
    save_file(tensors, last, header | {"step": "many"})
    with pytest.raises(DataError, match="is no checkpoint"):
        run(settings, folder, held_out(folder), tmp_path / "run")


def test_a_cache_that_was_cut_is_written_anew(tmp_path: Path) -> None:
    images = [np.full((3 + k, 4, 3), k, np.uint8) for k in range(3)]
    for cut in (lambda p: p.write_bytes(p.read_bytes()[:-5]), lambda p: p.write_bytes(b""), lambda p: p.unlink()):
        for suffix in (".bin", ".json"):
            pack("abc", images.__getitem__, tmp_path, "key")
            cut(next(tmp_path.glob(f"*{suffix}")))
            packed = pack("abc", images.__getitem__, tmp_path, "key")
            assert all(np.array_equal(packed[k], image) for k, image in enumerate(images))

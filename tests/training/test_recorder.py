"""What a run leaves at every moment: checkpoints that are never stale, resuming with changes, signals, any checkpoint a
model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from subpixel import models
from subpixel.datasets import sources
from subpixel.datasets.pairs import Pairs
from subpixel.errors import BadRequest, DataError, RecipeError, TrainingDiverged
from subpixel.images import Image, write
from subpixel.models import weights
from subpixel.resample import resize
from subpixel.runtimes import Execution
from subpixel.training import checkpoint, finite, loop, recipe, recorder
from subpixel.training.model_files import model_file
from subpixel.training.recipe import Recipe
from subpixel.training.recorder import Keeping
from subpixel.training.run import run

PAGE = """
name = "tiny-x2"
arch = "espcn"
steps = 6
validate_every = 2
ema = 0.9
[config]
scale = 2
[data]
patch = 12
batch = 2
"""
Told = list[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos to train on; those to validate on lie beside, in `held-out`."""
    root = tmp_path_factory.mktemp("data")
    y, x = np.mgrid[:48, :56] / 10
    for k, place in enumerate(("photos/0", "photos/1", "held-out/0")):
        waves = np.stack([np.sin(x + k), np.cos(y * x / 5), np.sin(y - k)], axis=-1) / 2 + 0.5
        (root / place).parent.mkdir(exist_ok=True)
        write(root / f"{place}.png", Image(waves.astype(np.float32)))
    return root / "photos"


@pytest.fixture(scope="module")
def pairs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Pairs]:
    return {2: sources.pairs(folder, 2, resize, tmp_path_factory.mktemp("cache"))}


def page(tmp_path: Path, **changes: object) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(PAGE)
    return recipe.load(path, changes)


def scoring(scores: dict[int, float]) -> Callable[..., dict[str, float]]:
    """A validation whose scores by step are known."""
    return lambda network, step: {"psnr": scores[step]}


SCORES = {2: 20.0, 4: 30.0, 6: 25.0, 8: 28.0}


def train(settings: Recipe, pairs: dict[int, Pairs], where: Path, **more: Any) -> Told:
    told: Told = []
    keeping = Keeping(more.pop("folders", {}), more.pop("checkpoints", 0), told.append)
    torch.set_num_threads(1)
    loop.train(settings, pairs, where, keeping=keeping, **{"validate": scoring(SCORES)} | more)
    return told


def states(where: Path) -> dict[str, tuple[int, float, bool]]:
    found = {path.stem: checkpoint.read_state(path) for path in sorted(where.glob("*.safetensors"))}
    return {name: (state.step, state.best, state.validated) for name, state in found.items()}


def logged(where: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (where / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["psnr"]) for line in lines]


class Killed(BaseException):
    """As by SIGKILL: nothing after it is done."""


@pytest.mark.parametrize("moment", range(7))
def test_a_run_that_is_killed_at_any_write_ends_as_one_that_is_not(
    moment: int, pairs: dict[int, Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each write of step 4, its validation and its log line."""
    settings, whole, parts = page(tmp_path), tmp_path / "whole", tmp_path / "parts"
    train(settings, pairs, whole)
    calls = iter(range(1000))
    write_text, save = recorder.atomic.write_text, checkpoint.save

    def counted(function: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            if next(calls) == 3 + moment:  # step 2 takes last, best, log, last
                raise Killed
            function(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(recorder.atomic, "write_text", counted(write_text))
        patch.setattr(checkpoint, "save", counted(save))
        with pytest.raises(Killed):
            train(settings, pairs, parts)
    train(settings, pairs, parts)
    assert logged(parts) == logged(whole) == [(2, 20.0), (4, 30.0), (6, 25.0)]
    assert states(parts) == states(whole) == {"best": (4, 30.0, True), "last": (6, 30.0, True)}
    for name in ("best", "last"):
        a, b = (load_file(where / f"{name}.safetensors") for where in (whole, parts))
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_what_is_due_is_saved_before_it_is_validated(pairs: dict[int, Pairs], tmp_path: Path) -> None:
    def fails(network: object, step: int) -> dict[str, float]:
        raise Killed

    with pytest.raises(Killed):
        train(page(tmp_path), pairs, tmp_path / "run", validate=fails)
    assert states(tmp_path / "run") == {"last": (2, -float("inf"), False)}
    steps: list[int] = []
    train(page(tmp_path), pairs, tmp_path / "run", validate=lambda n, step: steps.append(step) or {"psnr": 1.0})
    assert steps == [2, 4, 6]


def test_a_run_saves_every_few_minutes(
    pairs: dict[int, Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAVE_SECONDS", 0.0)

    def stop(progress: recorder.Progress) -> None:
        if progress.step == 3:
            raise Killed

    with pytest.raises(Killed):
        train(page(tmp_path), pairs, tmp_path / "run", show=stop)
    assert states(tmp_path / "run")["last"] == (3, 20.0, True)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_saves_the_step_first(
    number: int, error: type[BaseException], pairs: dict[int, Pairs], tmp_path: Path
) -> None:
    settings, whole, parts = page(tmp_path), tmp_path / "whole", tmp_path / "parts"
    train(settings, pairs, whole)

    def send(progress: recorder.Progress) -> None:
        if progress.step == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    told: Told = []
    with pytest.raises(error):
        loop.train(settings, pairs, parts, validate=scoring(SCORES), show=send, keeping=Keeping(notify=told.append))
    assert signal.getsignal(number) is before
    step = states(parts)["last"][0]
    assert step == 4
    assert told == [f"stopped after step {step}, which is saved; the same command goes on from there"]
    assert train(settings, pairs, parts) == [f"going on from step {step} of {parts}/last.safetensors"]
    a, b = (load_file(where / "last.safetensors") for where in (whole, parts))
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_a_validation_is_left_at_once(pairs: dict[int, Pairs], tmp_path: Path) -> None:
    def slow(network: object, step: int) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
        raise AssertionError("the signal waited for the validation")

    with pytest.raises(KeyboardInterrupt):
        train(page(tmp_path), pairs, tmp_path / "run", validate=slow)
    assert states(tmp_path / "run") == {"last": (2, -float("inf"), False)}


def test_a_run_goes_on_longer_at_another_rate(pairs: dict[int, Pairs], tmp_path: Path) -> None:
    where = tmp_path / "run"
    train(page(tmp_path), pairs, where)
    moments = load_file(where / "last.safetensors")
    assert any(key.startswith("optimizer.") and float(value.abs().sum()) > 0 for key, value in moments.items())
    rates: list[float] = []
    longer = page(tmp_path, steps=8, **{"optim.lr": 1e-5, "schedule.kind": "constant"})
    told = train(longer, pairs, where, show=lambda progress: rates.append(progress.lr))
    assert told == [
        f"going on from step 6 of {where}/last.safetensors; steps was 6 and is 8; optim.lr was 0.001 and is 1e-05; "
        "schedule.kind was 'cosine' and is 'constant'"
    ]
    assert rates == [1e-5, 1e-5]
    counts = {k: v for k, v in load_file(where / "last.safetensors").items() if k.startswith("optimizer.0.step")}
    assert [float(value) for value in counts.values()] == [8.0]  # Adam has counted on
    assert states(where)["best"][:2] == (4, 30.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"optim.name": "adamw"}, "optim.name was 'adam' and is 'adamw'"),
        ({"data.batch": 3, "optim.lr": 1.0}, "data.batch was 2 and is 3"),
        ({"config.scale": 3}, "config.scale was 2 and is 3"),
    ],
)
def test_what_cannot_change_is_named(
    changes: dict[str, object], words: str, pairs: dict[int, Pairs], tmp_path: Path
) -> None:
    train(page(tmp_path), pairs, tmp_path / "run")
    with pytest.raises(DataError) as caught:
        train(page(tmp_path, **changes), pairs | {3: pairs[2]}, tmp_path / "run")
    expected = f"{tmp_path}/run/last.safetensors belongs to another recipe: {words}; take another run folder"
    assert str(caught.value).startswith(expected)


def test_changed_images_are_noticed(pairs: dict[int, Pairs], tmp_path: Path) -> None:
    where = tmp_path / "run"
    train(page(tmp_path), pairs, where, folders={"data": "a", "validation": "b"})
    told = train(page(tmp_path, steps=8), pairs, where, folders={"data": "c", "validation": "d"})
    assert told[0].endswith("the images of --data have changed; the images of --validation have changed")
    assert states(where)["best"] == (8, 28.0, True)  # 30.0 was of other images


def test_so_many_checkpoints_stay(pairs: dict[int, Pairs], tmp_path: Path) -> None:
    train(page(tmp_path), pairs, tmp_path / "run", checkpoints=2)
    assert list(states(tmp_path / "run")) == ["best", "last", "step-0000004", "step-0000006"]


def test_weights_that_are_not_finite_are_never_saved(
    pairs: dict[int, Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finite, "check", lambda *_: None)
    with pytest.raises(TrainingDiverged, match=r"is not finite after step 2; lower optim\.lr"):
        train(page(tmp_path, **{"optim.lr": 1e30}), pairs, tmp_path / "run")
    assert states(tmp_path / "run") == {}


def test_every_checkpoint_is_a_model(folder: Path, tmp_path: Path) -> None:
    where, held_out = tmp_path / "run", folder.with_name("held-out")
    (model,) = run(page(tmp_path), folder, held_out, where, execution=Execution(threads=1), checkpoints=1)
    assert model_file(str(where)) == str(where / "tiny-x2.onnx")
    last = models.load(model_file(str(where / "last.safetensors")))
    assert (last.path, last.card.name, last.card.steps) == (where / "last.onnx", "tiny-x2", 6)
    a, b = weights.state(model), weights.state(last)
    assert all(torch.equal(a[key], b[key]) for key in a)
    written = last.path.stat().st_mtime_ns
    assert model_file(str(where / "last.safetensors")) == str(where / "last.onnx")
    assert last.path.stat().st_mtime_ns == written  # there already
    assert model_file(str(where)) == str(where / "tiny-x2.onnx")
    (where / "tiny-x2.onnx").unlink()
    assert model_file(str(where)) == str(where / "best.onnx")  # of a run that is not finished
    assert model_file("swift-x2") == "swift-x2"
    with pytest.raises(DataError, match="holds neither a model nor a checkpoint"):
        model_file(str(folder))
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match="does not say which recipe it is of"):
        model_file(str(tmp_path / "other.safetensors"))


def test_a_run_of_several_scales_is_asked_which(folder: Path, tmp_path: Path) -> None:
    settings = page(tmp_path, arch="vdsr", config={"layers": 3, "features": 8}, steps=2, **{"data.scales": [2, 3]})
    run(settings, folder, folder.with_name("held-out"), tmp_path / "run", execution=Execution(threads=1))
    for place in (tmp_path / "run", tmp_path / "run/last.safetensors"):
        assert models.load(model_file(str(place), 3)).card.scale == 3
        with pytest.raises(BadRequest, match=r"has models for x2, x3; name one of them, or its scale with -s"):
            model_file(str(place))


def test_init_says_what_it_took(folder: Path, tmp_path: Path) -> None:
    held_out = folder.with_name("held-out")
    (first,) = run(page(tmp_path), folder, held_out, tmp_path / "first", execution=Execution(threads=1))
    told: Told = []
    run(
        page(tmp_path, init=str(first.path)),
        folder,
        held_out,
        tmp_path / "second",
        execution=Execution(threads=1),
        notify=told.append,
    )
    assert told == [f"init: 6 of 6 of the weights of {first.path}"]
    other = page(tmp_path, init=str(first.path), **{"config.scale": 3})
    run(other, folder, held_out, tmp_path / "third", execution=Execution(threads=1), notify=told.append)
    assert told[1].startswith("init: 4 of 6 (not: body.")
    foreign = page(tmp_path, init=str(first.path), arch="srcnn")
    with pytest.raises(RecipeError, match=r"init: of .*tiny-x2\.onnx only \d of \d \(not: .*\) weights fit srcnn"):
        run(foreign, folder, held_out, tmp_path / "fourth")


def test_a_diverged_run_ships_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged):
        run(
            page(tmp_path, **{"optim.lr": 1e30}),
            folder,
            folder.with_name("held-out"),
            tmp_path / "run",
            execution=Execution(threads=1),
        )
    assert not list((tmp_path / "run").glob("*.onnx"))


def test_the_command_ends_with_the_status_of_the_signal(folder: Path, tmp_path: Path) -> None:
    page(tmp_path, steps=100_000)
    command = [
        sys.executable, "-m", "subpixel", "train", str(tmp_path / "recipe.toml"), "--data", str(folder),
        "--validation", str(folder.with_name("held-out")), "--run", str(tmp_path / "run"), "--threads", "1",
        "--set", "steps=100000", "--set", "validate_every=10",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run/log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in err
    assert checkpoint.read_state(tmp_path / "run/last.safetensors").step > 0
    assert not list((tmp_path / "run").glob(".subpixel-*"))

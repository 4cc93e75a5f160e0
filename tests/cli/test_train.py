"""`subpixel train` through its entry point: what it says, what it leaves, and how it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from subpixel import models
from subpixel.cli.training import Display
from subpixel.images import Image, write
from subpixel.training.recorder import Progress

Call = Callable[..., tuple[int, str, str]]
RECIPES = Path(__file__).parents[2] / "subpixel/recipes"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo to train on; one to validate on lies beside, in `held-out`."""
    root = tmp_path_factory.mktemp("data")
    for k, name in enumerate(("photos", "held-out")):
        (root / name).mkdir()
        write(root / name / "a.png", Image(np.random.default_rng(k).random((64, 72, 3), np.float32)))
    return root / "photos"


def quick(photos: Path, folder: Path, *more: str) -> list[object]:
    """The arguments of a training of four steps."""
    settings = ("steps=4", "validate_every=2", "data.patch=12", "data.batch=2")
    sets = [word for setting in settings for word in ("--set", setting)]
    places = ("--data", photos, "--validation", photos.with_name("held-out"), "--run", folder)
    return ["train", RECIPES / "espcn-x2-first.toml", *places, *sets, *more]


def test_a_run_tells_its_steps_and_ends_with_a_model(call: Call, photos: Path, tmp_path: Path) -> None:
    status, out, err = call(*quick(photos, tmp_path / "run", "--tensorboard"))
    assert status == 0
    assert [line.split(":")[0] for line in err.splitlines()] == ["step 2", "step 4"]
    model = models.load(str(tmp_path / "run/espcn-x2-first.onnx"))
    assert out == f"{model.path}: {model.card.parameters} parameters, 4 steps\n"
    assert model.card.score("held-out") is not None
    (events,) = (tmp_path / "run/tensorboard").iterdir()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    record = EventAccumulator(str(events))
    record.Reload()
    assert [event.step for event in record.Scalars("psnr")] == [2, 4]


def shown(seconds: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands on standard error after eight steps that take so long each."""
    now = [0]
    monkeypatch.setattr("subpixel.cli.training.time.monotonic", lambda: now[0])
    with Display() as display:
        for step in range(1, 9):
            now[0] += seconds
            display.show(Progress(step, 1000, 0.1 * step, 2e-4, 0.5, 1 / seconds, {}))
    return capsys.readouterr().err.splitlines()


def test_a_log_has_a_line_about_every_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(5, capsys, monkeypatch) == []
    assert shown(25, capsys, monkeypatch) == [
        "step 3/1000: loss 0.20000, lr 0.0002, gradient norm 0.5, 0.04 steps/s, 6:55:25 left",
        "step 6/1000: loss 0.50000, lr 0.0002, gradient norm 0.5, 0.04 steps/s, 6:54:10 left",
    ]
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for rich
    assert not any("gradient norm" in line for line in shown(25, capsys, monkeypatch))


def test_a_finished_run_is_not_done_again(call: Call, photos: Path, tmp_path: Path) -> None:
    call(*quick(photos, tmp_path / "run"))
    before = (tmp_path / "run/last.safetensors").stat().st_mtime_ns
    assert call(*quick(photos, tmp_path / "run"))[0] == 0
    assert (tmp_path / "run/last.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--set", "optim.lrr=1"), "optim.lrr"),
        (("--set", 'data.patch="many"'), "data.patch"),
        (("--set", "data.patch=64"), "smaller than the patch of 64"),
        (("--set", "config.scale=9"), "config.scale"),
        (("--set", "data.degradation=rain"), "data.degradation"),
        (("--set", "loss.content=1"), "--vgg"),
        (("--init", "nothing-x2"), "unknown model 'nothing-x2'"),
        (("--init", "runs/a.onnx"), "init: runs/a.onnx is not there; train what it is the result of first"),
        (("--init", "runs/a.safetensors"), "init: runs/a.safetensors is not there"),
        (("--precision", "f16"), "unknown precision 'f16'"),
        (("--device", "cuda"), "--device cpu"),
        (("--device", "foo"), "device 'foo'; expected cpu or cuda"),
        (("--threads", "0"), "Invalid value for '--threads'"),
        (("--threads", "100000"), "threads is 100000; expected 1 to 1024"),
        (("--set", f"steps={'1' * 5000}"), f"--set: steps: Input should be a valid integer, not '{'1' * 39}"),
        (("--set", f"x={'[' * 100_000}"), "--set: x: Extra inputs are not permitted"),
        (("--set", "data.batch=1000000000000"), "1,000,000,000,000 crops of 24x24 pixels take 6,437,302 GiB"),
        (("--set", "arch=srcnn", "--set", 'config={"scale":2,"features":[0,0]}'), "config: no srcnn can be built"),
    ],
)
def test_mistakes_are_one_line_before_the_first_step(
    call: Call, photos: Path, tmp_path: Path, more: tuple[str, ...], words: str
) -> None:
    if "cuda" in more and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    status, out, err = call(*quick(photos, tmp_path / "run", *more))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not (tmp_path / "run/last.safetensors").exists()


@pytest.mark.parametrize(
    ("recipe", "more", "words"),
    [
        ("swift-x22", (), "unknown recipe 'swift-x22'; did you mean"),
        ("nowhere.toml", (), "cannot read the recipe nowhere.toml: no such file"),
        ("swift-x2", ("--set", "optim.lrr=1"), "--set: optim.lrr: Extra inputs are not permitted; did you mean 'lr'?"),
        ("swift-x2", ("--set", "data.batch=0"), "--set: data.batch: Input should be greater than or equal to 1, not 0"),
        ("swift-x2", ("--set", "arch=swiftt"), "unknown architecture 'swiftt'; did you mean 'swift'?"),
        ("swift-x2", ("--set", 'data.degradation={"kind":"rain"}'), "data.degradation.kind: unknown name 'rain'"),
    ],
)
def test_a_wrong_recipe_is_told_before_torch_is_imported(recipe: str, more: tuple[str, ...], words: str) -> None:
    """In a process of its own; the others have imported it."""
    places = ["--data", "photos", "--validation", "held-out", "--run", "run"]
    code = (
        "import sys; from subpixel.cli import main\n"
        f"try: main({['train', recipe, *places, *more]!r})\n"
        "finally: print(sorted(sys.modules.keys() & {'torch', 'subpixel.training.run'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "[]\n", 1), done.stderr
    assert words in done.stderr


def test_init_may_be_none_of_a_recipe_that_names_some(call: Call, photos: Path, tmp_path: Path) -> None:
    more = ("--set", "init=runs/absent.onnx")
    assert call(*quick(photos, tmp_path / "run"), *more)[0] == 2
    assert call(*quick(photos, tmp_path / "run"), *more, "--init", "")[0] == 0

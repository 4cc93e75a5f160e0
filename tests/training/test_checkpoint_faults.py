"""Whatever fails while a checkpoint is written: it is complete or absent, and the resumed run equals the whole one."""

from __future__ import annotations

import tomllib
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from injected_faults import injected, room

from subpixel import atomic
from subpixel.datasets import sources
from subpixel.datasets.patches import PatchSource
from subpixel.errors import DataError
from subpixel.images import Image, write
from subpixel.nn.arch import Arch
from subpixel.resample import resize
from subpixel.training import loop
from subpixel.training.recipe import Recipe

RECIPE = """
name = "tiny-x2"
arch = "swift"
steps = 4
validate_every = 2
ema = 0.9
[config]
scale = 2
channels = 16
layers = 3
[data]
patch = 8
batch = 1
"""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PatchSource:
    folder = tmp_path_factory.mktemp("photos")
    write(folder / "a.png", Image(np.random.default_rng(0).random((40, 40, 3), np.float32)))
    return sources.pairs(folder, 2, resize, folder / "cache")


def train(pairs: PatchSource, folder: Path) -> Arch:
    """A run as a new process would do it; its validation finds each network better than the one before."""
    atomic._swept.clear()
    torch.set_num_threads(1)
    return loop.train(
        Recipe.model_validate(tomllib.loads(RECIPE)), {2: pairs}, folder, validate=lambda network, step: {"psnr": step}
    )


@pytest.mark.parametrize("call", ["open", "fsync", "replace", "unlink", "mkdir", "rmdir"])
def test_the_kth_call_fails(pairs: PatchSource, tmp_path: Path, call: str) -> None:
    whole = train(pairs, tmp_path / "whole")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    for k in count(1):
        folder = tmp_path / str(k)
        with injected(call, k) as fault:
            try:
                network = train(pairs, folder)
            except (DataError, OSError):
                network = None
        if not fault.hit:
            break
        network = network or train(pairs, folder)
        for ours, right in zip(network.parameters(), whole.parameters(), strict=True):
            assert torch.equal(ours, right)
        assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(atomic.PREFIX)) == names
        train(pairs, folder)  # it is complete: nothing is computed
        assert sorted(path.name for path in folder.iterdir()) == names
    assert k > 1 or call == "unlink"


def test_a_write_fails(pairs: PatchSource, tmp_path: Path) -> None:
    whole = train(pairs, tmp_path / "whole")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    checkpoint = (tmp_path / "whole/last.safetensors").stat().st_size
    for size in (0, 1, 100, 1000, checkpoint // 2, checkpoint - 100):
        folder = tmp_path / str(size)
        with room(size), pytest.raises((DataError, OSError)):
            train(pairs, folder)
        assert {path.name for path in folder.iterdir()} <= {"log.jsonl"}
        for ours, right in zip(train(pairs, folder).parameters(), whole.parameters(), strict=True):
            assert torch.equal(ours, right)
        assert sorted(path.name for path in folder.iterdir()) == names


def test_two_do_not_train_in_one_folder(pairs: PatchSource, tmp_path: Path) -> None:
    train(pairs, tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with atomic.claimed(tmp_path / "last.safetensors"), pytest.raises(DataError, match="another process trains in "):
        train(pairs, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    train(pairs, tmp_path)

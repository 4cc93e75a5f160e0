"""`subpixel import` and `subpixel export`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.analysis import inspect
from subpixel.images import Image, write


def test_there_and_back(call, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("export", model, "--to", "safetensors") == (0, "tiny-x2.safetensors\n", "")
    status, out, _ = call("import", "tiny-x2.safetensors", "-o", "again.onnx")
    assert (status, out) == (0, "again.onnx: swift, x2, halo 3\n")
    assert models.load("./again.onnx").card == models.load(model).card
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.onnx", "tiny-x2.safetensors"]


def test_what_inspect_found_is_built_in(call, tmp_path: Path) -> None:
    low, out = (
        Image.from_array(np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)),
        tmp_path / "r.onnx",
    )
    write(tmp_path / "a.png", low)
    status, found, _ = call("inspect", tmp_path / "a.png", "--json")
    (tmp_path / "r.json").write_text(found)
    assert call("export", "restore-x1", "--to", "onnx", "-o", out, "--report", tmp_path / "r.json")[0] == status == 0
    told = models.load("restore-x1").conditioned(inspect(low).condition())
    assert models.load(out).card == told.card
    status, _, error = call("export", "restore-x1", "--to", "onnx", "-o", out, "--overwrite")
    assert (status, error.count("\n")) == (2, 1)
    assert "give --report a file of what subpixel inspect IMAGE --json prints" in error


def test_a_mistake_is_one_line(call, model: str, tmp_path: Path) -> None:
    status, _, error = call("export", model, "--to", "opencv-pb", "-o", tmp_path / "x.pb")
    assert status == 2
    assert error == "subpixel: opencv-pb holds networks like FSRCNN and ESPCN, not Swift\n"
    (tmp_path / "x.pb").write_bytes(b"no graph")
    status, _, error = call("import", tmp_path / "x.pb")
    assert status == 2
    assert error.startswith(f"subpixel: cannot use the model file {tmp_path / 'x.pb'}: ")
    assert error.count("\n") == 1

"""`subpixel import` and `subpixel export`."""

from __future__ import annotations

from pathlib import Path

import pytest

from subpixel import models


def test_there_and_back(call, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("export", model, "--to", "safetensors") == (0, "tiny-x2.safetensors\n", "")
    status, out, _ = call("import", "tiny-x2.safetensors", "-o", "again.onnx")
    assert (status, out) == (0, "again.onnx: swift, x2, halo 3\n")
    assert models.load("./again.onnx").card == models.load(model).card
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.onnx", "tiny-x2.safetensors"]


def test_a_mistake_is_one_line(call, model: str, tmp_path: Path) -> None:
    status, _, error = call("export", model, "--to", "opencv-pb", "-o", tmp_path / "x.pb")
    assert status == 2
    assert error == "subpixel: opencv-pb holds networks like FSRCNN and ESPCN, not Swift\n"
    (tmp_path / "x.pb").write_bytes(b"no graph")
    status, _, error = call("import", tmp_path / "x.pb")
    assert status == 2
    assert error.startswith(f"subpixel: cannot use the model file {tmp_path / 'x.pb'}: ")
    assert error.count("\n") == 1

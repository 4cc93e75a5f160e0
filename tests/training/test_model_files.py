"""Which model file a training at work stands for."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from subpixel import models
from subpixel.models import store
from subpixel.training import shipping
from subpixel.training.model_files import LAST, model_file


def test_a_checkpoint_that_is_replaced_while_it_becomes_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, times = tmp_path / LAST, iter((100.0, 200.0, 300.0))
    model = (store.FOLDER / "espcn-x2.onnx").read_bytes()
    shipped: list[Path] = []

    def trained_on() -> None:
        checkpoint.write_bytes(b"weights")
        os.utime(checkpoint, (when := next(times), when))

    def ship(path: Path) -> list[SimpleNamespace]:
        file = path.with_suffix(".onnx")
        if not shipped:
            trained_on()
        file.write_bytes(model)
        shipped.append(file)
        return [SimpleNamespace(path=file)]

    monkeypatch.setattr(shipping, "ship", ship)
    trained_on()
    assert models.load(model_file(str(tmp_path))).card.scale == 2
    assert len(shipped) == 1
    assert [model_file(str(tmp_path)) for _ in range(2)] == [str(tmp_path / "last.onnx")] * 2
    assert len(shipped) == 2  # the first was of the checkpoint before; the second is not made again

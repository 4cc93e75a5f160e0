"""The mean of two models has the mean of their weights, and the card of the second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from subpixel import archs, models
from subpixel.errors import BadWeights
from subpixel.models import weights
from zoo.average import average


def saved(path: Path, seed: int, steps: int, **config: float) -> models.Model:
    torch.manual_seed(seed)
    network = archs.create("edsr", {"scale": 2, "blocks": 1, "features": 4, **config})
    return weights.save(network, path, recipe=f"recipe {seed}", steps=steps, hours=seed / 10, data="data")


def test_the_mean_of_two_models(tmp_path: Path) -> None:
    start, end = saved(tmp_path / "start.onnx", 1, 100), saved(tmp_path / "end.onnx", 2, 300)
    made = average(start, end, tmp_path / "mean.onnx")
    first, second, found = (weights.state(model) for model in (start, end, made))
    assert len(found) > 4
    for name, value in found.items():
        torch.testing.assert_close(value, (first[name] + second[name]) / 2)
    assert any((first[name] != second[name]).any() for name in found)
    card = made.card
    assert (card.name, card.recipe, card.steps, card.hours, card.data) == ("end", "recipe 2", 300, 0.2, "data")


def test_a_share_of_the_way(tmp_path: Path) -> None:
    start, end = saved(tmp_path / "start.onnx", 1, 100), saved(tmp_path / "end.onnx", 2, 300)
    made = average(start, end, tmp_path / "mean.onnx", 0.35)
    first, second, found = (weights.state(model) for model in (start, end, made))
    for name, value in found.items():
        torch.testing.assert_close(value, 0.65 * first[name] + 0.35 * second[name])


def test_a_card_may_leave_out_what_is_usual(tmp_path: Path) -> None:
    start, end = saved(tmp_path / "start.onnx", 1, 100), saved(tmp_path / "end.onnx", 2, 300)
    older = {key: value for key, value in start.card.config.items() if key != "residual_scale"}
    assert len(older) < len(start.card.config)
    old = models.Model(start.path, start.card.model_copy(update={"config": older}), start.graph)
    average(old, end, tmp_path / "older.onnx")
    average(start, end, tmp_path / "mean.onnx")
    assert models.load(tmp_path / "older.onnx").card.sha256 == models.load(tmp_path / "mean.onnx").card.sha256


@pytest.mark.parametrize("other", [{"blocks": 2}, {"residual_scale": 0.5}])
def test_models_of_different_networks_have_no_mean(tmp_path: Path, other: dict[str, float]) -> None:
    start, end = saved(tmp_path / "start.onnx", 1, 100), saved(tmp_path / "end.onnx", 2, 300, **other)
    with pytest.raises(BadWeights, match="another network than"):
        average(start, end, tmp_path / "mean.onnx")
    assert not (tmp_path / "mean.onnx").exists()

"""Networks with other ports than one image in and one out: exported, run by every runtime, cut into tiles, folded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from toy_networks import Conditioned, Config, MapInput, Recurrent, Toy, VectorOutput

from subpixel import models
from subpixel.errors import BadRequest, BadWeights
from subpixel.inference.rows import ArrayRows
from subpixel.inference.tiled import TiledNetwork
from subpixel.models import store, weights
from subpixel.ports import Geometry, ModelName, Port, Ports, Shape
from subpixel.runtimes import MODULES, Execution, open_runtime

TOYS = (MapInput, VectorOutput, Recurrent, Conditioned)


def network(kind: type[Toy]) -> Toy:
    torch.manual_seed(0)
    toy = kind(Config()).eval()
    with torch.no_grad():
        for parameter in toy.parameters():  # a condition begins as no change; here it is to change something
            parameter.add_(0.1 * torch.randn_like(parameter))
    return toy


@pytest.fixture(scope="module", params=TOYS, ids=lambda kind: kind.__name__)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, models.Model]:
    toy = network(request.param)
    return toy, weights.save(toy, tmp_path_factory.mktemp("toy") / "toy-x2.onnx")


def feeds(ports: Ports, height: int, width: int, batch: int = 1) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    return {p.name: rng.random((batch, p.depth, height, width), dtype=np.float32) for p in ports.inputs}


def computed(toy: Toy, given: dict[str, NDArray[Any]], **condition: torch.Tensor) -> dict[str, NDArray[Any]]:
    with torch.no_grad():
        results = toy(*map(torch.from_numpy, given.values()), **condition)
    results = results if isinstance(results, tuple) else (results,)
    return {port.name: result.numpy() for port, result in zip(toy.ports.outputs, results, strict=True)}


@pytest.mark.parametrize("runtime", MODULES)
@pytest.mark.parametrize("size", [(17, 22), (1, 1)])
def test_every_runtime_computes_what_torch_computes(
    both: tuple[Toy, models.Model], runtime: str, size: tuple[int, int]
) -> None:
    toy, model = both
    given = feeds(toy.ports, *size, batch=2)
    expected = computed(toy, given)
    results = open_runtime(model, Execution(runtime, "f32")).run(given)
    assert list(results) == [port.name for port in model.card.ports.outputs]
    for name, value in expected.items():
        np.testing.assert_allclose(results[name], value, atol=1e-5)


def test_the_card_states_the_ports(both: tuple[Toy, models.Model]) -> None:
    toy, model = both
    assert models.load(model.path).card.ports == toy.ports
    assert model.card.arch == f"toy_networks:{type(toy).__name__}"


@pytest.mark.parametrize("tile", [(9, 7), (32, 5), (100, 100)])
@pytest.mark.parametrize("kind", [MapInput, Recurrent, VectorOutput])
def test_tiles_equal_the_whole_image_on_every_port(kind: type[Toy], tile: tuple[int, int]) -> None:
    toy = network(kind)
    low, *others = toy.ports.inputs
    given = feeds(toy.ports, 33, 26)
    expected = computed(toy, given)
    planes = {name: np.ascontiguousarray(batch[0].transpose(1, 2, 0)) for name, batch in given.items()}
    tiled = TiledNetwork(
        ArrayRows(planes[low.name], Shape(33, 26, low.depth)),
        lambda part: computed(toy, {name: np.ascontiguousarray(batch) for name, batch in part.items()}),
        toy.ports,
        Geometry(2, toy.halo),
        tile,
        {port.name: planes[port.name] for port in others},
    )
    high = np.concatenate([tiled.rows(y, min(y + 11, 66)) for y in range(0, 66, 11)])
    np.testing.assert_allclose(high, expected["high"][0].transpose(1, 2, 0).clip(0, 1), atol=2e-6)
    for name, values in tiled.maps.items():
        np.testing.assert_allclose(values, expected[name][0].transpose(1, 2, 0), atol=2e-6)
    for name, values in tiled.vectors.items():
        np.testing.assert_allclose(values, expected[name][0], atol=2e-6)
    assert {*tiled.maps, *tiled.vectors, "high"} == expected.keys()


def test_a_map_is_carried_from_call_to_call() -> None:
    toy = network(Recurrent)
    rng = np.random.default_rng(0)
    frames = [rng.random((20, 24, 9), dtype=np.float32) for _ in range(3)]
    hidden, carried = torch.zeros(1, 4, 20, 24), np.zeros((20, 24, 4), np.float32)
    for frame in frames:
        with torch.no_grad():
            high, hidden = toy(torch.from_numpy(frame.transpose(2, 0, 1)[None].copy()), hidden)
        rows = ArrayRows(frame, Shape(20, 24, 9))
        run = lambda part: computed(toy, {n: np.ascontiguousarray(b) for n, b in part.items()})  # noqa: E731
        tiled = TiledNetwork(rows, run, toy.ports, Geometry(2, toy.halo), (8, 8), {"hidden": carried})
        np.testing.assert_allclose(tiled.rows(0, 40), high[0].permute(1, 2, 0).clamp(0, 1), atol=1e-5)
        carried = tiled.maps["kept"]
    np.testing.assert_allclose(carried, hidden[0].permute(1, 2, 0), atol=1e-5)


def test_a_map_of_another_size_is_refused() -> None:
    toy, rows = network(MapInput), ArrayRows(np.zeros((8, 9, 3), np.float32), Shape(8, 9, 3))
    for maps, given in (({}, "nothing"), ({"noise": np.zeros((8, 8, 1), np.float32)}, r"shape \(8, 8, 1\)")):
        with pytest.raises(BadRequest, match=f"the input noise is given {given}; expected \\(8, 9, 1\\)"):
            TiledNetwork(rows, dict, toy.ports, Geometry(2, 2), (8, 8), maps)


# --- conditions


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Toy, models.Model]:
    toy = network(Conditioned)
    return toy, weights.save(toy, tmp_path_factory.mktemp("told") / "told-x2.onnx")


@pytest.mark.parametrize("runtime", MODULES)
def test_a_folded_condition_is_the_condition(told: tuple[Toy, models.Model], runtime: str) -> None:
    toy, model = told
    given = feeds(toy.ports, 13, 11)
    expected = computed(toy, given, condition=torch.tensor([[0.7, -0.2]]))
    folded = model.conditioned({"blur": -0.2, "noise": 0.7})
    assert folded.card.condition is None
    assert folded.card.parameters == model.card.parameters
    results = open_runtime(folded, Execution(runtime, "f32")).run(given)
    np.testing.assert_allclose(results["high"], expected["high"], atol=1e-5)
    assert np.abs(expected["high"] - computed(toy, given)["high"]).max() > 0.01


def test_a_folded_model_is_a_model_file(told: tuple[Toy, models.Model], tmp_path: Path) -> None:
    _, model = told
    folded = model.conditioned({"blur": 0.0, "noise": 1.0})
    (tmp_path / "folded-x2.onnx").write_bytes(folded.graph)
    assert models.load(tmp_path / "folded-x2.onnx").card == folded.card
    with pytest.raises(BadRequest, match="is not conditioned"):
        folded.conditioned({"blur": 0.0, "noise": 1.0})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"noise": 1.0}, "has noise; expected noise, blur"),
        ({"noise": 1.0, "blur": 0.0, "rain": 1.0}, "has blur, noise, rain; expected noise, blur"),
        ({"noise": math.nan, "blur": 0.0}, "noise is nan"),
    ],
)
def test_wrong_values_are_one_line(told: tuple[Toy, models.Model], values: dict[str, float], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        told[1].conditioned(values)


# --- values


def test_impossible_ports() -> None:
    low, high = Port("low"), Port("high", scale=2)
    for inputs, outputs, words in (
        ((), (high,), "at least one input"),
        ((low,), (), "at least one input and one output"),
        ((Port("low", scale=2),), (high,), "must be an image at scale 1"),
        ((low, Port("c", "vector", 2)), (high,), "a vector is no input"),
        ((low,), (Port("low", scale=2),), "two ports have one name"),
    ):
        with pytest.raises(BadRequest, match=words):
            Ports(inputs, outputs)
    assert Ports((low,), (high,)).is_plain
    assert not Ports((low, Port("map", "map")), (high,)).is_plain


def test_old_cards_mean_low_and_high() -> None:
    card = models.load("espcn-x3").card
    values = card.model_dump(mode="json", exclude={"ports", "condition"})
    assert models.Card.model_validate(values).ports == Ports.enlarging(3) == card.ports


def test_a_card_that_does_not_fit_its_graph_is_refused(told: tuple[Toy, models.Model], tmp_path: Path) -> None:
    _, model = told
    card = model.card.model_copy(update={"ports": MapInput(Config()).ports})
    (tmp_path / "a.onnx").write_bytes(store.with_metadata(store.parse(model.path, model.graph), card))
    with pytest.raises(BadWeights, match="has the inputs 'low'; its card says 'low, noise'"):
        models.load(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("swift-x2", ModelName("swift", 2)),
        ("edsr-base-x12", ModelName("edsr-base", 12)),
        ("a-x2-x3", ModelName("a-x2", 3)),
    ],
)
def test_names_are_parsed_as_they_are_written(text: str, name: ModelName) -> None:
    assert ModelName.parse(text) == name
    assert str(name) == text


@pytest.mark.parametrize("text", ["swift", "swift-x", "swift-x0", "-x2", "swift-2", "swift-x2b"])
def test_other_names_have_no_factor(text: str) -> None:
    assert ModelName.parse(text) is None


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("4x_Nice_Photo", "nice-photo-x4"),
        ("日本", "日本-x4"),
        ("Модель_x4", "модель-x4"),
        ("a\u0301", "á-x4"),
        ("?!", "model-x4"),
    ],
)
def test_a_network_is_called_after_its_file(stem: str, name: str) -> None:
    assert str(ModelName.of_file(stem, 4)) == name

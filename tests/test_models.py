"""Model files: what is stored is what runs; what is damaged is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from subpixel import archs, models
from subpixel.errors import BadWeights, UnknownName
from subpixel.models import store, weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "tiny-x2.onnx"
    weights.save(archs.create("swift", {"scale": 2, "channels": 16, "layers": 3}), path, recipe="abc", steps=7)
    return path


def test_a_card_tells_what_it_is(tiny: Path) -> None:
    card = models.load(tiny).card
    assert (card.name, card.family, card.scale, card.halo) == ("tiny-x2", "tiny", 2, 3)
    # 3*16*9+16, 16*16*9+16 and 16*12*9+12 weights, 2 * 16 slopes
    assert card.parameters == 448 + 2320 + 1740 + 32
    assert card.macs == (3 * 16 * 9 + 16 * 16 * 9 + 16 * 12 * 9) / 4
    assert (card.recipe, card.steps, card.licence) == ("abc", 7, "Apache-2.0")


@pytest.mark.parametrize("name", ["swift", "espcn", "fsrcnn", "srcnn"])
def test_the_network_is_rebuilt_from_the_file_alone(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = archs.create(name, {"scale": 3}).eval()
    for parameter in network.parameters():  # biases and slopes too: equal ones are merged by the exporter
        parameter.data = torch.randn_like(parameter) * 0.05
    rebuilt = weights.network(weights.save(network, tmp_path / "m.onnx"))
    x = torch.rand(1, 3, 9, 12)
    with torch.no_grad():
        assert torch.allclose(rebuilt(x), network(x), atol=1e-5)
    plain = network.deploy().state_dict()
    assert all(torch.equal(v, plain[k]) for k, v in rebuilt.state_dict().items())


def test_a_changed_weight_is_found(tiny: Path, tmp_path: Path) -> None:
    proto = onnx.load(tiny)
    tensor = proto.graph.initializer[0]
    tensor.raw_data = bytes([tensor.raw_data[0] ^ 1]) + tensor.raw_data[1:]
    onnx.save(proto, tmp_path / "bad.onnx")
    with pytest.raises(BadWeights, match="sha256"):
        models.load(tmp_path / "bad.onnx")


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x00" * 50])
def test_what_is_no_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(BadWeights, match="not an ONNX file") as caught:
        models.load(tmp_path / "x.onnx")
    assert "\n" not in str(caught.value)


def test_a_truncated_model_and_one_without_card_are_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(tiny.read_bytes()[:2000])
    with pytest.raises(BadWeights):
        models.load(tmp_path / "cut.onnx")
    proto = onnx.load(tiny)
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "foreign.onnx")
    with pytest.raises(BadWeights, match="without a subpixel card"):
        models.load(tmp_path / "foreign.onnx")
    with pytest.raises(BadWeights, match="No such file"):
        models.load(tmp_path / "missing.onnx")


def test_a_wrong_name_names_the_right_one() -> None:
    with pytest.raises(UnknownName, match="did you mean 'swift-x2'"):
        models.load("swfit-x2")


def test_new_scores_keep_the_graph(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(tiny.read_bytes())
    score = models.Score(dataset="Set5", metric="psnr", value=37.5, protocol="Y")
    card = store.rewrite_card(copy, scores=(score,))
    assert card.score("Set5") == 37.5
    assert card.score("Set14") is None
    assert card.sha256 == models.load(tiny).card.sha256
    assert np.array_equal(onnx.load(copy).graph.initializer[0].raw_data, onnx.load(tiny).graph.initializer[0].raw_data)


@pytest.mark.parametrize("name", models.names())
def test_every_shipped_model_is_sound(name: str) -> None:
    card = models.load(name).card
    assert card.name == name
    assert card.data
    assert card.steps > 0
    assert card.score("Set5") is not None
    network = weights.network(models.load(name))
    assert network.halo == card.halo

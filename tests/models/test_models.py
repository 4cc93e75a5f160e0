"""Model files: what is stored is what runs; what is damaged is refused in one line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from subpixel import archs, models
from subpixel.errors import BadWeights, UnknownName
from subpixel.models import compact, store, weights
from zoo.package import package


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


@pytest.mark.parametrize("folder", ["", "below/"])
def test_weights_of_another_program_are_to_be_imported(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadWeights if folder else UnknownName, match="no such file" if folder else "unknown model"):
        models.load(f"{folder}4x_photo.pth")
    Path(f"{folder}4x_photo.pth").parent.mkdir(exist_ok=True)
    Path(f"{folder}4x_photo.pth").write_bytes(b"PK")
    with pytest.raises(BadWeights, match=r"expected a file that ends in \.onnx; subpixel import makes one of other"):
        models.load(f"{folder}4x_photo.pth")


def test_a_truncated_model_and_one_without_card_are_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(tiny.read_bytes()[:2000])
    with pytest.raises(BadWeights):
        models.load(tmp_path / "cut.onnx")
    proto = onnx.load(tiny)
    del proto.metadata_props[:]
    onnx.save(proto, tmp_path / "foreign.onnx")
    with pytest.raises(BadWeights, match=r"without a subpixel card.*; import the weights .* \(\.pb, \.pth, "):
        models.load(tmp_path / "foreign.onnx")
    with pytest.raises(BadWeights, match="no such file"):
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


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The scales of one small LapSRN, as training writes them."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("trained")
    network = archs.create("lapsrn", {"scale": 4, "depth": 2, "features": 16})
    return [weights.save(network.at_scale(s), folder / f"lap-x{s}.onnx").path for s in (2, 4)]


def test_shipped_scales_share_their_weights_in_half_precision(pyramid: list[Path], tmp_path: Path) -> None:
    written = package(pyramid, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lap-x2.onnx", "lap-x4.onnx", "lap.weights"]
    tensors = {k: v for k, v in weights.state(models.load(pyramid[1])).items() if v.numel() >= compact.SMALLEST}
    assert (tmp_path / "lap.weights").stat().st_size == 2 * sum(v.numel() for v in tensors.values())
    x = torch.rand(1, 3, 9, 12)
    for before, after in zip(pyramid, written, strict=True):
        stored = weights.state(models.load(after))
        for key, value in weights.state(models.load(before)).items():
            rounded = value.half().float() if value.numel() >= compact.SMALLEST else value
            assert torch.equal(stored[key], rounded)
        direct = np.asarray(ort.InferenceSession(after).run(None, {"low": x.numpy()})[0])  # the file is ONNX as it lies
        with torch.no_grad():
            assert np.allclose(direct, weights.network(models.load(after))(x), atol=1e-5)
    score = models.Score(dataset="Set5", metric="psnr", value=31.5, protocol="Y")
    size = written[1].stat().st_size
    store.rewrite_card(written[1], scores=(score,))
    assert models.load(written[1]).card.score("Set5") == 31.5
    assert written[1].stat().st_size < size + 200


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_shared_weights_may_be_linked_as_installers_do(
    link: Callable[[Path, Path], None], pyramid: list[Path], tmp_path: Path
) -> None:
    model, _ = package(pyramid, tmp_path)
    expected = models.load(model).graph
    (tmp_path / "lap.weights").rename(tmp_path / "cached")
    link(tmp_path / "cached", tmp_path / "lap.weights")
    assert models.load(model).graph == expected


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda folder: (folder / "lap.weights").unlink(),
            "lie beside it, in 'lap.weights', and there is no such file",
        ),
        (lambda folder: (folder / "lap.weights").write_bytes(b"1" * 5000), "in 'lap.weights' end too early"),
        (lambda folder: (folder / "lap.weights").write_bytes(bytes(99999)), "sha256"),
        (lambda folder: _placed(folder, "length", "much"), "does not say where"),
        (lambda folder: _placed(folder, "length", str(1 << 60)), "end too early"),
        (lambda folder: _placed(folder, "offset", "-9"), "end too early"),
        (
            lambda folder: _placed(folder, "location", "../../../etc/passwd"),
            "passwd'; expected a .weights file beside it",
        ),
    ],
)
def test_shared_weights_that_are_damaged_are_refused(
    damage: Callable[[Path], object], words: str, pyramid: list[Path], tmp_path: Path
) -> None:
    written = package(pyramid, tmp_path)
    damage(tmp_path)
    with pytest.raises(BadWeights, match=words):
        models.load(written[0])


def _placed(folder: Path, key: str, value: str) -> None:
    """Says something else about where the first shared tensor lies."""
    proto = onnx.load(folder / "lap-x2.onnx", load_external_data=False)
    tensor = next(t for t in proto.graph.initializer if t.external_data)
    next(e for e in tensor.external_data if e.key == key).value = value
    (folder / "lap-x2.onnx").write_bytes(proto.SerializeToString())


@pytest.mark.parametrize("name", models.names())
def test_every_shipped_model_is_sound(name: str) -> None:
    card = models.load(name).card
    assert card.name == name
    assert card.data
    assert card.steps > 0
    assert name not in models.enlarging() or card.score("Set5") is not None
    network = weights.network(models.load(name))
    assert network.halo == card.halo

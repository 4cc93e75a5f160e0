"""Exported models: every format computes what the model computes, in the library it is for; nothing else is left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov
import pytest
import torch
from injected_faults import injected, room
from numpy.typing import NDArray
from safetensors.torch import load_file

from subpixel import archs, models
from subpixel.analysis import DegradationReport, Noise
from subpixel.compat import opencv as dnn_superres
from subpixel.errors import BadRequest, ParityError, UnknownName
from subpixel.export import formats
from subpixel.export.alteration import Alteration
from subpixel.export.export import export
from subpixel.imports.import_model import import_model
from subpixel.inference.rows import ArrayRows
from subpixel.inference.upscaler import Upscaler
from subpixel.models import store, weights
from subpixel.ports import Shape
from subpixel.runtimes import Execution, on_batches, open_runtime

SIZES = [(13, 18), (1, 1), (2, 9)]
CONFIGS: dict[str, dict[str, Any]] = {
    "swift-x2": {"scale": 2, "channels": 8, "layers": 3},
    "fsrcnn-x2": {"scale": 2, "d": 16, "s": 6, "m": 2},
    "fsrcnn-x3": {"scale": 3, "d": 16, "s": 6, "m": 2},
    "espcn-x3": {"scale": 3, "features": (16, 8)},
    "edsr-x2": {"scale": 2, "blocks": 1, "features": 8},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small networks with random biases and slopes."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    for name, config in CONFIGS.items():
        network = archs.create(name.partition("-")[0], config)
        for parameter in network.parameters():
            if parameter.dim() == 1:
                torch.nn.init.uniform_(parameter, -0.05, 0.2)
        weights.save(network, folder / f"{name}.onnx", steps=7)
    return folder


def _low(size: tuple[int, int]) -> NDArray[np.float32]:
    return np.random.default_rng(5).random((1, 3, *size), dtype=np.float32)


def _expected(folder: Path, name: str, low: NDArray[np.float32]) -> NDArray[Any]:
    """What torch computes."""
    with torch.no_grad():
        return weights.network(models.load(folder / f"{name}.onnx"))(torch.from_numpy(low)).numpy()


@pytest.mark.parametrize("name", ["swift-x2", "fsrcnn-x3", "espcn-x3", "edsr-x2"])
@pytest.mark.parametrize("to", ["onnx", "openvino", "torchscript", "safetensors"])
def test_the_file_computes_the_same_where_it_is_used(name: str, to: str, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / f"other{formats.FORMATS[to].suffix}"
    assert export(folder / f"{name}.onnx", to, out) == out
    assert {p.stem for p in tmp_path.iterdir()} == {"other"}  # the .bin of OpenVINO, and no temporary file
    for size in SIZES:
        low = _low(size)
        assert np.abs(_used(out, low, folder / f"{name}.onnx") - _expected(folder, name, low)).max() < 1e-5


def _used(path: Path, low: NDArray[np.float32], original: Path) -> NDArray[Any]:
    if path.suffix == ".onnx":
        ort = pytest.importorskip("onnxruntime")
        return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"low": low})[0]
    if path.suffix == ".xml":
        import openvino as ov

        core: Any = ov.Core()
        return core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([low])[0]
    if path.suffix == ".pt":
        with torch.no_grad():
            return torch.jit.load(path)(torch.from_numpy(low)).numpy()
    again = import_model(path, path.with_name("again.onnx"), overwrite=True)
    assert again.card == models.load(original).card
    with torch.no_grad():
        return weights.network(again)(torch.from_numpy(low)).numpy()


_IN_OPENCV = """
import sys, cv2, numpy
net = cv2.dnn.readNetFromONNX(sys.argv[1])
lows = numpy.load(sys.argv[2])
def run(low):
    net.setInput(low)
    return net.forward().copy()
numpy.savez(sys.argv[3], **{name: run(lows[name]) for name in lows})
"""


@pytest.mark.parametrize("to", ["onnx", "safetensors"])
def test_what_a_network_is_told_is_built_in(to: str, tmp_path: Path) -> None:
    """Other programs tell it nothing: the file computes what an Upscaler does that found the same."""
    report, low = DegradationReport(noise=Noise(sigma=15)), _low((9, 12))
    with Upscaler("restore-x2", execution=Execution(precision="f32")) as upscaler:
        rows = ArrayRows(np.ascontiguousarray(low[0].transpose(1, 2, 0)), Shape(9, 12, 3))
        expected = upscaler.prepare(rows.shape, report).rows(rows).rows(0, 18)
    out = export("restore-x2", to, tmp_path / f"out{formats.FORMATS[to].suffix}", report=report)
    model = models.load("restore-x2")
    if to == "safetensors":
        told = weights.fitted(out, model.card.model_copy(update={"condition": None}), load_file(out))
        with torch.no_grad():
            result = told(torch.from_numpy(low)).numpy()
    else:
        result = _used(out, low, out)
    assert np.abs(np.clip(result[0].transpose(1, 2, 0), 0, 1) - expected).max() < 1e-4
    untold = on_batches(open_runtime(model, Execution("openvino", "f32")).run)(low)
    assert np.abs(untold - result).max() > 0.1


@pytest.mark.parametrize("to", ["onnx", "openvino", "torchscript"])
def test_a_network_that_was_told_nothing_is_not_handed_over(to: str, tmp_path: Path) -> None:
    out = tmp_path / f"untold{formats.FORMATS[to].suffix}"
    with pytest.raises(BadRequest, match=f"restore-x2 is told what is wrong .* {to} has no place .* --report a file"):
        export("restore-x2", to, out)
    with pytest.raises(BadRequest, match="espcn-x2 is not conditioned"):
        export("espcn-x2", to, out, report=DegradationReport())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", CONFIGS)
def test_cv2_dnn_runs_the_onnx(name: str, folder: Path, tmp_path: Path) -> None:
    """In a process of its own: OpenCV 5.0's ONNX engine computes garbage once dnn_superres was used in its process."""
    pytest.importorskip("cv2")
    file, low, high = (
        export(folder / f"{name}.onnx", "onnx", tmp_path / "out.onnx"),
        tmp_path / "l.npz",
        tmp_path / "h.npz",
    )
    np.savez(low, **{str(k): _low(size) for k, size in enumerate(SIZES)})
    subprocess.run([sys.executable, "-c", _IN_OPENCV, file, low, high], check=True, timeout=120)
    results = np.load(high)
    for k, size in enumerate(SIZES):
        assert np.abs(results[str(k)] - _expected(folder, name, _low(size))).max() < 1e-4


def test_the_card_travels_along(folder: Path, tmp_path: Path) -> None:
    card = models.load(folder / "swift-x2.onnx").card
    files = {to: export(folder / "swift-x2.onnx", to, tmp_path / f"a{f.suffix}") for to, f in _our_formats().items()}
    assert models.load(files["onnx"]).card == card
    import openvino as ov
    from safetensors import safe_open

    core: Any = ov.Core()
    assert json.loads(core.read_model(files["openvino"]).get_rt_info(store.KEY).astype(str))["name"] == card.name
    extra = {store.KEY: ""}
    torch.jit.load(files["torchscript"], _extra_files=extra)
    with safe_open(files["safetensors"], "pt") as file:
        assert models.Card.model_validate_json(file.metadata()[store.KEY]) == card
    assert models.Card.model_validate_json(extra[store.KEY]) == card


def _our_formats() -> dict[str, formats.Format]:
    return {to: form for to, form in formats.FORMATS.items() if to != "opencv-pb"}


@pytest.mark.parametrize("name", ["fsrcnn-x2", "fsrcnn-x3", "espcn-x3"])
def test_a_pb_gives_our_pixels_in_opencv(name: str, folder: Path, tmp_path: Path) -> None:
    """Gray images have our own result; in colour OpenCV enlarges the chroma, and the drop-in does as it does."""
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "dnn_superres"):
        pytest.skip("needs opencv-contrib")
    path = export(folder / f"{name}.onnx", "opencv-pb", tmp_path / "net.pb")
    algorithm, scale = name.partition("-")[0], int(name[-1])
    theirs, ours = cv2.dnn_superres.DnnSuperResImpl_create(), dnn_superres.DnnSuperResImpl_create()
    for sr in (theirs, ours):
        sr.readModel(str(path))
        sr.setModel(algorithm, scale)
    upscaler = Upscaler(folder / f"{name}.onnx", execution=Execution(precision="f32"))
    for size in [(40, 52), (7, 2), (1, 1)]:
        photo = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
        gray = np.ascontiguousarray(photo[..., 0])
        if size != (1, 1):  # one pixel is flat, and stays so with us
            assert np.abs(theirs.upsample(gray).astype(int) - upscaler(gray)).max() <= 1
        off = np.abs(theirs.upsample(photo).astype(int) - ours.upsample(photo))
        assert off.max() <= 1 or (off > 1).mean() < 1e-3


@pytest.mark.parametrize("name", [n for n in models.names() if n.partition("-")[0] in ("fsrcnn", "espcn")])
def test_the_packages_own_models_go_to_opencv(name: str, tmp_path: Path) -> None:
    assert export(name, "opencv-pb", tmp_path / "own.pb").stat().st_size > 10_000


def test_a_file_that_computes_something_else_is_not_handed_over(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(model: models.Model, path: Path) -> None:
        network = weights.network(model)
        with torch.no_grad():
            next(network.parameters()).add_(1e-2)
        weights.save(network, path)

    broken = formats.Format(".onnx", spoil, formats.FORMATS["onnx"].open)
    monkeypatch.setitem(formats.FORMATS, "onnx", broken)
    with pytest.raises(ParityError, match=r"out\.onnx at 17x22|out\.onnx at 22x17") as caught:
        export(folder / "swift-x2.onnx", "onnx", tmp_path / "out.onnx")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_only_when_asked(folder: Path, tmp_path: Path) -> None:
    export(folder / "fsrcnn-x2.onnx", "safetensors", file := tmp_path / "f.safetensors")
    import_model(file, back := tmp_path / "f.onnx")
    for again in (
        partial(export, folder / "fsrcnn-x2.onnx", "safetensors", file),
        partial(export, folder / "fsrcnn-x2.onnx", "onnx", back),
        partial(import_model, file, back),
    ):
        before = file.stat().st_mtime_ns, back.stat().st_mtime_ns
        with pytest.raises(BadRequest, match="exists; --overwrite replaces it"):
            again()
        assert (file.stat().st_mtime_ns, back.stat().st_mtime_ns) == before
        again(overwrite=True)
        assert (file.stat().st_mtime_ns, back.stat().st_mtime_ns) != before


def test_weights_of_another_graph_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "out.bin").write_bytes(b"mine")
    with pytest.raises(BadRequest, match=r"out\.bin exists; --overwrite replaces it"):
        export("espcn-x3", "openvino", tmp_path / "out.xml")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("out.bin", b"mine")]


def test_wrong_requests(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'openvino'"):
        export("swift-x2", "openvno")
    with pytest.raises(BadRequest, match=r"ends in \.xml"):
        export(folder / "swift-x2.onnx", "openvino", tmp_path / "out.onnx")
    with pytest.raises(BadRequest, match="holds networks like FSRCNN and ESPCN, not Swift"):
        export(folder / "swift-x2.onnx", "opencv-pb", tmp_path / "out.pb")
    with pytest.raises(BadRequest, match="holds networks like FSRCNN and ESPCN, not EDSR"):
        export(folder / "edsr-x2.onnx", "opencv-pb", tmp_path / "out.pb")
    with pytest.raises(BadRequest, match="cannot write"):
        export(folder / "swift-x2.onnx", "onnx", tmp_path / "none" / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_never_lies_beside_weights_of_another(folder: Path, tmp_path: Path) -> None:
    target = export(folder / "swift-x2.onnx", "openvino", tmp_path / "a.xml")
    with injected("replace", 2) as fault, pytest.raises(BadRequest, match="injected fault"):
        export(folder / "espcn-x3.onnx", "openvino", target, overwrite=True)
    assert fault.hit
    assert not target.exists()  # its weights are the new ones


@pytest.mark.parametrize("to", ["onnx", "openvino", "torchscript", "safetensors", "opencv-pb"])
def test_a_full_disk_is_one_line(folder: Path, tmp_path: Path, to: str) -> None:
    target = tmp_path / f"out{formats.FORMATS[to].suffix}"
    with room(1024), pytest.raises(BadRequest, match=rf"^cannot write {target}: file too large$"):
        export(folder / "fsrcnn-x2.onnx", to, target)
    assert list(tmp_path.iterdir()) == []


def test_an_imported_model_is_exported_too(folder: Path, tmp_path: Path) -> None:
    pb = export(folder / "fsrcnn-x2.onnx", "opencv-pb", tmp_path / "f_x2.pb")
    model = import_model(pb, tmp_path / "back.onnx")
    assert (model.card.name, model.card.scale, model.card.arch) == ("f-x2", 2, "tensorflow")
    low = _low((9, 9))[:, :1].repeat(3, axis=1)
    back = on_batches(open_runtime(model, Execution("openvino", "f32")).run)(low)
    assert np.abs(back - _expected(folder, "fsrcnn-x2", low)).max() < 1e-5
    export(tmp_path / "back.onnx", "openvino", tmp_path / "back.xml")
    with pytest.raises(BadRequest, match="is imported and has no network"):
        export(tmp_path / "back.onnx", "safetensors", tmp_path / "back.safetensors")


@pytest.mark.parametrize(
    "alteration",
    [Alteration((7, 9)), Alteration(half=True), Alteration(opset=20), Alteration((7, 9), True, 19)],
    ids=["size", "half", "opset", "all"],
)
@pytest.mark.parametrize("to", ["onnx", "openvino"])
def test_altered_graphs(folder: Path, tmp_path: Path, to: str, alteration: Alteration) -> None:
    """Run by the library that the format is for, beside what torch computes."""
    suffix = {"onnx": ".onnx", "openvino": ".xml"}[to]
    path = export(folder / "edsr-x2.onnx", to, tmp_path / f"altered{suffix}", alteration=alteration)
    low = _low((7, 9))
    expected = _expected(folder, "edsr-x2", low)
    if to == "onnx":
        session = ort.InferenceSession(path)
        given, (result,) = session.get_inputs()[0].shape, session.run(None, {"low": low})
        proto = onnx.load(path)
        assert alteration.opset in (None, proto.opset_import[0].version)
        assert (given == [1, 3, 7, 9]) is (alteration.size is not None)
        assert not proto.metadata_props
    else:
        model = ov.Core().read_model(path)
        assert model.inputs[0].partial_shape.is_static is (alteration.size is not None)
        result = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([low])[0]
    np.testing.assert_allclose(result, expected, atol=4e-3 if alteration.half else 1e-4)


def test_alterations_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="torchscript has no size, opset or half-precision weights"):
        export("edsr-base-x2", "torchscript", tmp_path / "a.pt", alteration=Alteration(half=True))
    with pytest.raises(
        BadRequest, match=r"^onnx cannot convert this graph to opset 7; expected \d+ to \d+, its own is"
    ) as e:
        export("espcn-x2", "onnx", tmp_path / "a.onnx", alteration=Alteration(opset=7))
    graph = models.load("espcn-x2")
    oldest, newest, own = map(int, re.findall(r"\d+", str(e.value).partition(";")[2]))
    assert (newest, own) == (
        onnx.defs.onnx_opset_version(),
        store.parse(graph.path, graph.graph).opset_import[0].version,
    )
    for opset, can in ((oldest - 1, False), (oldest, True), (newest, True), (newest + 1, False)):
        with nullcontext() if can else pytest.raises(BadRequest, match=f"opset {opset}; expected {oldest} to {newest}"):
            assert Alteration(opset=opset).of(graph)
    assert not list(tmp_path.iterdir())

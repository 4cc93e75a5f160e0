"""The formats that a model is exported to: how each is written, and how it is run to see that it computes the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from subpixel import archs
from subpixel.errors import BadRequest, MissingExtra
from subpixel.imports import graphdef, tensorflow
from subpixel.models import Model
from subpixel.models.graph import one_line
from subpixel.models.store import KEY
from subpixel.runtimes import Execution, Tensors, installed, on_batches, open_runtime
from subpixel.runtimes.fixed import of_size

Batch = NDArray[Any]
Run = Callable[[Batch], Batch]
"""N 3 H W in [0, 1] -> N 3 sH sW, not clipped, float32, for any size."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Format:
    """One format."""

    suffix: str
    write: Callable[[Model, Path], None]
    open: Callable[[Path, Model], Run]
    gray: bool = False
    """The chroma is not part of the network: only gray images can be compared."""
    conditions: bool = False
    """What a network is told of an image can still be told when it is read again."""
    beside: str = ""
    """The ending of a second file that comes with it."""


def _network(model: Model) -> Any:
    """The torch network of a model.

    Raises: MissingExtra, BadRequest for a model that has none.
    """
    if not (installed("torch") and installed("safetensors")):
        raise MissingExtra("torch", "train")
    if model.card.arch not in archs.NAMES:
        raise BadRequest(f"{model.card.name} is imported and has no network here; export it to onnx or openvino")
    from subpixel.models import weights

    return weights.network(model)


def _write_onnx(model: Model, path: Path) -> None:
    path.write_bytes(model.graph)


def _open_onnx(path: Path, model: Model) -> Run:
    name = "onnxruntime" if installed("onnxruntime") else "openvino"
    runtime = open_runtime(Model(path, model.card, path.read_bytes()), Execution(name, "f32", device="cpu"))
    return on_batches(runtime.run)


def _write_openvino(model: Model, path: Path) -> None:
    from subpixel.runtimes.openvino_ import core, ov

    graph = core().read_model(model.graph)
    graph.set_rt_info(model.card.model_dump_json(), KEY)
    try:
        ov.save_model(graph, path, compress_to_fp16=False)
    except RuntimeError as error:
        _check_room(path, 4 * len(model.graph) + _BLOCK)  # more than it takes: OpenVINO does not say why
        raise OSError(f"OpenVINO says {one_line(error)}") from error


def _check_room(path: Path, count: int) -> None:
    """Raises: OSError, in the system's words, where there is no room for so many bytes."""
    with path.open("wb") as file:
        for _ in range(0, count, _BLOCK):
            file.write(bytes(_BLOCK))


def _open_openvino(path: Path, model: Model) -> Run:
    from subpixel.runtimes.openvino_ import core

    compiled = core().compile_model(core().read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(feeds: Tensors) -> dict[str, Batch]:
        return {"high": compiled([feeds["low"]])[0]}

    size = model.card.fixed_size
    return on_batches(of_size(run, model.card.ports, size) if size else run)


def _write_torchscript(model: Model, path: Path) -> None:
    network = _network(model)
    import torch

    with torch.no_grad():
        traced: Any = torch.jit.trace(network, torch.rand(1, 3, 24, 31), check_trace=False)
    buffer = BytesIO()  # torch's own writer ends the process on a full disk
    torch.jit.save(traced, buffer, _extra_files={KEY: model.card.model_dump_json()})
    path.write_bytes(buffer.getvalue())


def _open_torchscript(path: Path, model: Model) -> Run:
    import torch

    return _running(torch.jit.load(path))


def _write_safetensors(model: Model, path: Path) -> None:
    network = _network(model)
    from safetensors.torch import save

    path.write_bytes(save(network.state_dict(), {KEY: model.card.model_dump_json()}))


def _open_safetensors(path: Path, model: Model) -> Run:
    from safetensors.torch import load_file

    from subpixel.models import weights

    return _running(weights.fitted(path, model.card, load_file(path)))


def _running(network: Callable[[Any], Any]) -> Run:
    """A torch network as a function of arrays."""
    import torch

    def run(batch: Batch) -> Batch:
        with torch.no_grad():
            return network(torch.from_numpy(batch)).numpy()

    return run


def _write_opencv_pb(model: Model, path: Path) -> None:
    network = _network(model)
    from subpixel.export import opencv_pb

    path.write_bytes(graphdef.write(opencv_pb.nodes(network)))


def _open_opencv_pb(path: Path, model: Model) -> Run:
    again = tensorflow.load(path)
    return on_batches(open_runtime(again, Execution("openvino", "f32")).run)


FORMATS = {
    "onnx": Format(".onnx", _write_onnx, _open_onnx),
    "openvino": Format(".xml", _write_openvino, _open_openvino, beside=".bin"),
    "torchscript": Format(".pt", _write_torchscript, _open_torchscript),
    "safetensors": Format(".safetensors", _write_safetensors, _open_safetensors, conditions=True),
    "opencv-pb": Format(".pb", _write_opencv_pb, _open_opencv_pb, gray=True),
}
"""The name of each format, as `subpixel export --to` has it."""

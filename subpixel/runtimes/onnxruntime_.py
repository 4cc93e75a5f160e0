"""ONNX Runtime: the door to CUDA, TensorRT, CoreML and DirectML."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadWeights, RuntimeUnavailable
from subpixel.models import Model
from subpixel.models.graph import one_line
from subpixel.ports import Ports
from subpixel.runtimes.levels import through_floats
from subpixel.runtimes.runtime import Execution, Precision, Tensors, named
from subpixel.runtimes.telemetry import no_onnxruntime_telemetry

no_onnxruntime_telemetry()
import onnxruntime as ort  # noqa: E402

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""Device -> execution provider; `auto` takes the first that is there."""


class OnnxRuntime:
    """An inference session."""

    name = "onnxruntime"
    precision: Precision = "f32"

    def __init__(self, session: Any, ports: Ports, device: str) -> None:
        self.device = device
        self._session: Any = session
        self._ports = ports
        self.run = through_floats(self._floats, ports)

    def _floats(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        results = self._session.run(None, {name: np.ascontiguousarray(batch) for name, batch in feeds.items()})
        return named(self._ports.outputs, results)

    def close(self) -> None:
        self._session = None


def open_model(model: Model, execution: Execution) -> OnnxRuntime:
    """Opens a session; ONNX Runtime computes the models in f32.

    Raises: RuntimeUnavailable for another precision, or a device that is not there; BadWeights for what it cannot load.
    """
    device = execution.device
    if execution.precision == "bf16":
        raise RuntimeUnavailable("onnxruntime computes in f32 only; use --runtime openvino for bf16")
    available: list[str] = ort.get_available_providers()
    usable = [d for d, provider in PROVIDERS.items() if provider in available]
    chosen = usable[0] if device == "auto" else device
    if chosen not in usable:
        raise RuntimeUnavailable(f"onnxruntime has no device {device!r}; it has {', '.join(usable)}")
    options: Any = ort.SessionOptions()
    options.intra_op_num_threads = execution.threads or 0
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(model.graph, options, providers=[PROVIDERS[chosen]])
    except Exception as error:  # its exceptions have no common parent but Exception
        raise BadWeights(model.path, f"onnxruntime cannot load it: {one_line(error)}") from None
    return OnnxRuntime(session, model.card.ports, chosen)

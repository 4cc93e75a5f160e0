"""OpenVINO: the default runtime on a CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from subpixel.errors import BadWeights, RuntimeUnavailable
from subpixel.models import Model
from subpixel.runtimes import Precision, computes_in_bf16


class OpenVINORuntime:
    """A compiled model; one call at a time."""

    name = "openvino"

    def __init__(self, compiled: Any, precision: Precision, device: str) -> None:
        self.precision: Precision = precision
        self.device = device
        self._request: Any = compiled.create_infer_request()

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        result = self._request.infer([np.ascontiguousarray(batch)], share_inputs=True)
        return result[0]

    def close(self) -> None:
        self._request = None


def open_model(model: Model, precision: str, threads: int | None, device: str) -> OpenVINORuntime:
    """Compiles a model; the precision is always set explicitly, for OpenVINO would choose by itself."""
    where = "CPU" if device in ("auto", "cpu") else device.upper()
    core: Any = ov.Core()
    if where.split(".")[0] not in core.available_devices:
        raise RuntimeUnavailable(f"openvino has no device {device!r}; it has {', '.join(core.available_devices)}")
    chosen: Precision = "bf16" if precision == "bf16" or (precision == "auto" and _fast_bf16(where)) else "f32"
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": chosen, "PERFORMANCE_HINT": "LATENCY"}
    if where == "CPU":
        settings["ENABLE_CPU_PINNING"] = False  # two processes would otherwise share one core
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
    try:
        compiled = core.compile_model(core.read_model(model.graph), where, settings)
    except RuntimeError as error:
        raise BadWeights(model.path, f"openvino cannot compile it: {str(error).strip().splitlines()[-1]}") from None
    return OpenVINORuntime(compiled, chosen, where.lower())


def _fast_bf16(device: str) -> bool:
    return device == "CPU" and computes_in_bf16()

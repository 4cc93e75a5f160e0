"""OpenVINO: the default runtime on a CPU, and the only door to its binding.

The binding looks up numpy's interface when it is first used. Two threads that do so at once wait for each other for
ever, so this module uses it once while it is imported, which Python lets one thread do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from openvino.preprocess import PrePostProcessor

from subpixel.errors import BadWeights, RuntimeUnavailable
from subpixel.models import Model
from subpixel.runtimes import Precision, computes_in_bf16


@cache
def core() -> Any:
    """OpenVINO's one entry object; its plugins are loaded once for all models."""
    return ov.Core()


def _first_use() -> None:
    """Sends one number from numpy through a compiled model and back."""
    number = op.parameter(ov.Shape([1]), ov.Type.f32)
    build: Any = ov.Model
    request = core().compile_model(build([op.relu(number)], [number]), "CPU").create_infer_request()
    request.infer([np.zeros(1, np.float32)], share_inputs=True)


_first_use()


class OpenVINORuntime:
    """A compiled model; one call at a time."""

    name = "openvino"

    def __init__(self, model: Any, precision: Precision, device: str, settings: dict[str, Any]) -> None:
        self.precision: Precision = precision
        self.device = device
        self._model: Any = model
        self._settings = settings
        self._requests: dict[str, Any] = {}

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        return self._infer("floats", lambda model: model, batch)

    def run_bytes(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._infer("bytes", _on_bytes, pixels[None])[0]

    def close(self) -> None:
        self._requests.clear()

    def _infer(self, form: str, prepare: Callable[[Any], Any], batch: NDArray[Any]) -> NDArray[Any]:
        """Runs one of the two forms of the graph, compiled when it is first needed."""
        if form not in self._requests:
            compiled = core().compile_model(prepare(self._model.clone()), self.device.upper(), self._settings)
            self._requests[form] = compiled.create_infer_request()
        return self._requests[form].infer([np.ascontiguousarray(batch)], share_inputs=True)[0]


def open_model(model: Model, precision: str, threads: int | None, device: str) -> OpenVINORuntime:
    """Reads a model; the precision is always set explicitly, for OpenVINO would choose by itself."""
    where = "CPU" if device in ("auto", "cpu") else device.upper()
    devices = core().available_devices
    if where.split(".")[0] not in devices:
        raise RuntimeUnavailable(f"openvino has no device {device!r}; it has {', '.join(devices)}")
    chosen: Precision = "bf16" if precision == "bf16" or (precision == "auto" and _fast_bf16(where)) else "f32"
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": chosen, "PERFORMANCE_HINT": "LATENCY"}
    if where == "CPU":
        settings["ENABLE_CPU_PINNING"] = False  # two processes would otherwise share one core
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
    try:
        graph = core().read_model(model.graph)
    except RuntimeError as error:
        raise BadWeights(model.path, f"openvino cannot read it: {str(error).strip().splitlines()[-1]}") from None
    return OpenVINORuntime(graph, chosen, where.lower(), settings)


def _on_bytes(model: Any) -> Any:
    """The same graph from N H W 3 uint8 to N sH sW 3 uint8: conversion, clipping and rounding inside."""
    before = PrePostProcessor(model)
    before.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    before.input().model().set_layout(ov.Layout("NCHW"))
    before.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    floats = before.build()
    high = floats.output(0).get_node().input_value(0)
    levels = op.add(op.multiply(op.clamp(high, 0.0, 1.0), np.float32(255)), np.float32(0.5))
    pixels = op.convert(op.transpose(levels, np.array([0, 2, 3, 1])), "u8")
    build: Any = ov.Model
    return build([pixels], floats.get_parameters())


def _fast_bf16(device: str) -> bool:
    return device == "CPU" and computes_in_bf16()

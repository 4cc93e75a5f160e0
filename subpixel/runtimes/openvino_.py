"""OpenVINO: the default runtime on a CPU, and the only door to its binding.

The binding looks up numpy's interface when it is first used. Two threads that do so at once wait for each other for
ever, so this module uses it once while it is imported, which Python lets one thread do.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadWeights, RuntimeUnavailable
from subpixel.models import Model
from subpixel.models.graph import one_line
from subpixel.runtimes.checked import all_finite
from subpixel.runtimes.runtime import Execution, Precision, Tensors, computes_in_bf16, named
from subpixel.runtimes.telemetry import no_openvino_converter

with no_openvino_converter():
    import openvino as ov
    from openvino import opset13 as op
    from openvino.preprocess import PrePostProcessor


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
    """A compiled model with a pool of requests: as many as threads have called it at once."""

    name = "openvino"

    def __init__(self, graph: Any, model: Model, precision: Precision, device: str, settings: dict[str, Any]) -> None:
        self.precision: Precision = precision
        self.device = device
        self._graph: Any = graph
        self._ports = model.card.ports
        self._foreign = not model.of_package
        self._settings = settings
        self._compiling = threading.Lock()
        self._compiled: dict[bool, Any] = {}
        self._idle: dict[bool, list[Any]] = {True: [], False: []}  # requests, by whether they compute on levels
        self._fitting = set[tuple[tuple[int, ...], ...]]()  # shapes of inputs that go through a graph of somebody else

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        on_levels = feeds[self._ports.inputs[0].name].dtype == np.uint8
        if self._foreign:
            self._check(tuple(_as_compiled(feeds[port.name]) for port in self._ports.inputs))
        request = self._request(on_levels)
        inputs = [np.ascontiguousarray(feeds[port.name]) for port in self._ports.inputs]
        results = request.infer(inputs, share_inputs=True)
        self._idle[on_levels].append(request)
        if on_levels and self._foreign:
            all_finite(results[1])
        return named(self._ports.outputs, (results[k] for k in range(len(self._ports.outputs))))

    def _check(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        """Raises: RuntimeError for shapes that do not go through the graph, which would write where it may not.

        Of shapes that it learns while it runs, OpenVINO does not look whether they fit.
        """
        if shapes in self._fitting:
            return
        with self._compiling:
            graph = self._graph.clone()
        graph.reshape({port.name: list(shape) for port, shape in zip(self._ports.inputs, shapes, strict=True)})
        self._fitting.add(shapes)

    def close(self) -> None:
        with self._compiling:
            self._compiled.clear()
            self._idle = {True: [], False: []}

    def _request(self, on_levels: bool) -> Any:
        """An idle request of one of the two forms of the graph, which is compiled when it is first needed."""
        with self._compiling:
            if self._idle[on_levels]:
                return self._idle[on_levels].pop()
            if on_levels not in self._compiled:
                graph = _on_levels(self._graph.clone(), self._foreign) if on_levels else self._graph
                self._compiled[on_levels] = core().compile_model(graph, self.device.upper(), self._settings)
            return self._compiled[on_levels].create_infer_request()


def _as_compiled(values: NDArray[Any]) -> tuple[int, ...]:
    """The shape of a port's values as the graph of floats has it: levels come as N H W C."""
    return (values.shape[0], values.shape[3], *values.shape[1:3]) if values.dtype == np.uint8 else values.shape


def open_model(model: Model, execution: Execution) -> OpenVINORuntime:
    """Reads a model; the precision is always set explicitly, for OpenVINO would choose by itself.

    Raises: RuntimeUnavailable for a device that is not there, BadWeights for a graph that OpenVINO cannot read.
    """
    where = "CPU" if execution.device in ("auto", "cpu") else execution.device.upper()
    if where != "CPU":
        _check_device(where.split(".")[0], execution.device)
    fast = execution.precision == "bf16" or (execution.precision == "auto" and _fast_bf16(where))
    precision: Precision = "bf16" if fast else "f32"
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    if where == "CPU":
        settings["ENABLE_CPU_PINNING"] = False  # two processes would otherwise share one core
        if execution.threads:
            settings["INFERENCE_NUM_THREADS"] = execution.threads
    try:
        graph = core().read_model(model.graph)
    except RuntimeError as error:
        raise BadWeights(model.path, f"openvino cannot read it: {one_line(error)}") from None
    return OpenVINORuntime(graph, model, precision, where.lower(), settings)


def _check_device(kind: str, asked: str) -> None:
    """Not called for the CPU: OpenVINO loads the other devices' libraries, and closes them, whenever it is asked.

    glibc (2.36) ends a process in which a thread starts while a library is loaded, if its table of thread-local data
    is full just then.
    """
    devices = core().available_devices
    if kind not in devices:
        raise RuntimeUnavailable(f"openvino has no device {asked!r}; it has {', '.join(devices)}")


def _on_levels(graph: Any, summed: bool) -> Any:
    """The same graph from N H W 3 uint8 to N sH sW 3 uint8: conversion, clipping and rounding inside.

    summed: a second output is the sum of the floats, which tells whether all were finite. It costs a small network up
    to 15 % of its time.
    """
    before = PrePostProcessor(graph)
    before.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    before.input().model().set_layout(ov.Layout("NCHW"))
    before.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    floats = before.build()
    high = floats.output(0).get_node().input_value(0)
    levels = op.add(op.multiply(op.clamp(high, 0.0, 1.0), np.float32(255)), np.float32(0.5))
    pixels = op.convert(op.transpose(levels, np.array([0, 2, 3, 1])), "u8")
    build: Any = ov.Model
    total = [op.reduce_sum(high, np.arange(4))] if summed else []
    return build([pixels, *total], floats.get_parameters())


def _fast_bf16(device: str) -> bool:
    return device == "CPU" and computes_in_bf16()

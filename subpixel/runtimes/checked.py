"""Whether a result is what the card promises: shapes and finite numbers, checked each time a model has run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadWeights, SubpixelError
from subpixel.models import Model
from subpixel.models.graph import one_line
from subpixel.ports import Port
from subpixel.runtimes.runtime import Precision, Runtime, Tensors

# What openvino, onnxruntime, torch and oneDNN say when an allocation fails.
_NO_MEMORY = re.compile(r"(?is)out of memory|bad_alloc|alloc\w* .*memory|memory .*alloc|not enough memory")


def out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed: it may be tried again with a smaller tile."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def all_finite(values: Any) -> None:
    """Raises: FloatingPointError where a sum of floats, or an array of them, is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        if not np.isfinite(np.sum(values)):
            raise FloatingPointError("it computes numbers that are not finite")


class Checked:
    """A runtime whose results have the shapes that the card promises and are finite, or it ends with BadWeights.

    Files of strangers can make a library stumble anywhere: whatever it raises is the file's fault, memory aside.
    """

    def __init__(self, runtime: Runtime, model: Model) -> None:
        self.name, self.device = runtime.name, runtime.device
        self.precision: Precision = runtime.precision
        self._runtime, self._model = runtime, model
        self.close = runtime.close

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        try:
            results = self._runtime.run(feeds)
            self._check(feeds, results)
        except SubpixelError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            raise BadWeights(self._model.path, f"{self.name} cannot run it: {one_line(error)}") from None
        return results

    def _check(self, feeds: Tensors, results: Tensors) -> None:
        ports = self._model.card.ports
        first = feeds[ports.inputs[0].name]
        for port in ports.outputs:
            result = results[port.name]
            expected = _shape(port, first)
            if result.shape != expected or result.dtype != first.dtype:
                raise ValueError(f"{port.name} has the shape {list(result.shape)}; its card promises {list(expected)}")
            if result.dtype != np.uint8:  # levels were checked before they were rounded
                all_finite(result)


def _shape(port: Port, first: NDArray[Any]) -> tuple[int, ...]:
    if first.dtype == np.uint8:
        count, height, width, _ = first.shape
        return count, height * port.scale, width * port.scale, port.depth
    count, _, height, width = first.shape
    sides = () if port.kind == "vector" else (height * port.scale, width * port.scale)
    return count, port.depth, *sides

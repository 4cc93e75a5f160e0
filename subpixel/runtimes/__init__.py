"""What runs a model: OpenVINO (the default), ONNX Runtime or torch, behind one method."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from subpixel.errors import MissingExtra, RuntimeUnavailable, UnknownName
from subpixel.models import Model
from subpixel.runtimes.checked import Checked
from subpixel.runtimes.fixed import FixedSize
from subpixel.runtimes.runtime import Execution, Precision, Run, Runtime, Tensors, computes_in_bf16

__all__ = [
    "EXTRAS", "MODULES", "Execution", "Precision", "Run", "Runtime", "Tensors",
    "choose", "computes_in_bf16", "installed", "on_batches", "open_runtime",
]  # fmt: skip

MODULES = {"openvino": "openvino_", "onnxruntime": "onnxruntime_", "torch": "torch_"}
"""Runtime -> module of this package, in the order `auto` tries them."""

EXTRAS = {"openvino": "", "onnxruntime": "onnxruntime", "torch": "train"}


def open_runtime(model: Model, execution: Execution = Execution()) -> Runtime:
    """Compiles a model.

    A model whose card has a `fixed_size` runs images up to that size: see `fixed`. What it gives is checked: see
    `checked`.
    Raises: UnknownName, MissingExtra, RuntimeUnavailable, BadRequest; BadWeights, also when it runs.
    """
    module = importlib.import_module(f"{__name__}.{MODULES[choose(execution.runtime)]}")
    runtime = Checked(module.open_model(model, execution), model)
    if not model.card.fixed_size:
        return runtime
    return FixedSize(runtime, model.card.ports, model.card.fixed_size)


def choose(name: str = "auto") -> str:
    """The runtime that a name stands for.

    Raises: UnknownName, MissingExtra.
    """
    if name == "auto":
        name = next((n for n in MODULES if installed(n)), "")
        if not name:
            raise RuntimeUnavailable("no runtime is installed; run: pip install openvino")
    if name not in MODULES:
        raise UnknownName("runtime", name, ["auto", *MODULES])
    if not installed(name):
        raise MissingExtra(name, EXTRAS[name] or "all")
    return name


def installed(name: str) -> bool:
    """Whether a runtime's package is there, without importing it."""
    return importlib.util.find_spec(name) is not None


def on_batches(run: Run) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A network from `low` to `high` as a function of one batch: N C H W -> N C sH sW."""
    return lambda batch: run({"low": batch})["high"]

"""What runs a model: OpenVINO (the default), ONNX Runtime or torch, behind one method."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, MissingExtra, RuntimeUnavailable, UnknownName
from subpixel.models import Model
from subpixel.ports import Port, Ports
from subpixel.runtimes.checked import Checked, all_finite

Precision = Literal["f32", "bf16"]
PRECISIONS = ("auto", "f32", "bf16")
MODULES = {"openvino": "openvino_", "onnxruntime": "onnxruntime_", "torch": "torch_"}
"""Runtime -> module of this package, in the order `auto` tries them."""

EXTRAS = {"openvino": "", "onnxruntime": "onnxruntime", "torch": "train"}

Tensors = Mapping[str, NDArray[Any]]
"""Port -> tensor."""

Run = Callable[[Tensors], dict[str, NDArray[Any]]]
"""What `Runtime.run` is."""


@dataclass(frozen=True)
class Execution:
    """How a model is run.

    Raises: UnknownName for a precision that does not exist, BadRequest for less than one thread.
    """

    runtime: str = "auto"
    """`auto`, or one of MODULES."""
    precision: str = "auto"
    """`auto` is bf16 where the processor computes in it, else f32; an Upscaler takes f32 for more than 8 bits."""
    threads: int | None = None
    """None for all cores."""
    device: str = "auto"
    """`cpu`, `cuda` ... as the runtime calls it; `auto` is the CPU for OpenVINO and the best there is elsewhere."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UnknownName("precision", self.precision, PRECISIONS)
        if self.threads is not None and self.threads < 1:
            raise BadRequest(f"threads is {self.threads}; expected at least 1")


class Runtime(Protocol):
    """A model, ready to run; any number of threads may call it at once."""

    name: str
    precision: Precision
    device: str

    @property
    def run(self) -> Run:
        """A tensor for each input port -> one for each output port.

        Images and maps are N C H W float32, any H, W >= 1, images in [0, 1] and, as results, not clipped; vectors are
        N C. A plain network (see `Ports.is_plain`) also takes its image as N H W C uint8, and gives such levels then,
        clipped and rounded half up.
        """
        ...

    def close(self) -> None:
        """Frees what the runtime holds."""
        ...


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
    from subpixel.runtimes.fixed import FixedSize

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


def through_floats(run: Run, ports: Ports) -> Run:
    """`Runtime.run` for a runtime that computes on floats alone: levels are converted before and after."""

    def converted(feeds: Tensors) -> dict[str, NDArray[Any]]:
        levels = feeds[ports.inputs[0].name]
        if levels.dtype != np.uint8:
            return run(feeds)
        batch = np.divide(levels.transpose(0, 3, 1, 2), 255, dtype=np.float32)
        results = run({ports.inputs[0].name: batch})
        return {name: _levels(result) for name, result in results.items()}

    return converted


def _levels(batch: NDArray[Any]) -> NDArray[np.uint8]:
    all_finite(batch)
    levels = np.clip(batch, 0, 1) * 255 + 0.5
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def on_batches(run: Run) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A network from `low` to `high` as a function of one batch."""
    return lambda batch: run({"low": batch})["high"]


def named(ports: tuple[Port, ...], values: Any) -> dict[str, NDArray[Any]]:
    """Results in the order of their ports, by name."""
    return {port.name: value for port, value in zip(ports, values, strict=True)}


@cache
def computes_in_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX512-BF16, AMX or Arm's BF16)."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})

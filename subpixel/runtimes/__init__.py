"""What runs a model: OpenVINO (the default), ONNX Runtime or torch, behind one method."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, MissingExtra, RuntimeUnavailable, UnknownName
from subpixel.models import Model

Precision = Literal["f32", "bf16"]
MODULES = {"openvino": "openvino_", "onnxruntime": "onnxruntime_", "torch": "torch_"}
"""Runtime -> module of this package, in the order `auto` tries them."""

EXTRAS = {"openvino": "", "onnxruntime": "onnxruntime", "torch": "train"}


class Runtime(Protocol):
    """A model, ready to run."""

    name: str
    precision: Precision
    device: str

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """N 3 H W float32 in [0, 1] -> N 3 sH sW float32, not clipped; any H, W >= 1."""
        ...

    def run_bytes(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """H W 3 uint8 -> sH sW 3 uint8, clipped and rounded half up."""
        ...

    def close(self) -> None:
        """Frees what the runtime holds."""
        ...


def open_runtime(
    model: Model,
    name: str = "auto",
    precision: str = "auto",
    threads: int | None = None,
    device: str = "auto",
) -> Runtime:
    """Compiles a model.

    precision: `auto` is bf16 where the processor computes in it, else f32. threads: None for all cores.
    device: `cpu`, `cuda` ... as the runtime calls it; `auto` is the CPU for OpenVINO and the best there is elsewhere.
    A model whose card has a `fixed_size` runs images up to that side: see `fixed`.
    Raises: UnknownName, MissingExtra, RuntimeUnavailable, BadRequest.
    """
    chosen = choose(name)
    if precision not in ("auto", "f32", "bf16"):
        raise UnknownName("precision", precision, ("auto", "f32", "bf16"))
    if threads is not None and threads < 1:
        raise BadRequest(f"threads is {threads}; expected at least 1")
    module = importlib.import_module(f"{__name__}.{MODULES[chosen]}")
    runtime = module.open_model(model, precision, threads, device)
    if not model.card.fixed_size:
        return runtime
    from subpixel.runtimes.fixed import Fixed

    return Fixed(runtime, model.card.fixed_size, model.card.scale)


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


def bytes_through(run: Callable[[NDArray[Any]], NDArray[Any]], pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`run_bytes` for a runtime that has only `run`."""
    batch = np.divide(pixels.transpose(2, 0, 1)[None], 255, dtype=np.float32)
    levels = np.clip(run(batch)[0], 0, 1) * 255 + 0.5
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))


@cache
def computes_in_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX512-BF16, AMX or Arm's BF16)."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})

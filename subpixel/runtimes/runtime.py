"""What a runtime is: a model, ready to run on named tensors, and how it is asked to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from numpy.typing import NDArray

from subpixel.errors import BadRequest, UnknownName
from subpixel.ports import Port

Precision = Literal["f32", "bf16"]
PRECISIONS = ("auto", "f32", "bf16")

Tensors = Mapping[str, NDArray[Any]]
"""Port -> tensor."""

Run = Callable[[Tensors], dict[str, NDArray[Any]]]
"""What `Runtime.run` is."""


MAX_THREADS = 1024
"""More than any machine has cores; torch crashes where the system has no more threads."""


@dataclass(frozen=True)
class Execution:
    """How a model is run.

    Raises: UnknownName for a precision that does not exist, BadRequest for a number of threads that cannot be.
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
        if self.threads is not None and not 1 <= self.threads <= MAX_THREADS:
            raise BadRequest(f"threads is {self.threads}; expected 1 to {MAX_THREADS}, best as many as there are cores")


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

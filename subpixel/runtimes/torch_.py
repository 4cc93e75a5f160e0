"""torch: slower on a CPU, at home on CUDA, and where a network is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from subpixel.errors import RuntimeUnavailable
from subpixel.models import Model
from subpixel.models.weights import network
from subpixel.nn.arch import Arch
from subpixel.runtimes import Precision, bytes_through, computes_in_bf16


class TorchRuntime:
    """A network in channels_last, without gradients."""

    name = "torch"

    def __init__(self, net: Arch, precision: Precision, device: str) -> None:
        self.precision: Precision = precision
        self.device = device
        self._network = net

    @torch.inference_mode()
    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        x = torch.tensor(batch, device=self.device).to(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
            return self._network(x).float().cpu().contiguous().numpy()

    def run_bytes(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return bytes_through(self.run, pixels)

    def close(self) -> None:
        del self._network


def open_model(model: Model, precision: str, threads: int | None, device: str) -> TorchRuntime:
    """Rebuilds the torch network of a model file."""
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if where not in ("cpu", "cuda") or (where == "cuda" and not torch.cuda.is_available()):
        raise RuntimeUnavailable(
            f"torch has no device {device!r} here; use cpu" + (" or cuda" if torch.cuda.is_available() else "")
        )
    if threads:
        torch.set_num_threads(threads)
    chosen: Precision = "bf16" if precision == "bf16" or (precision == "auto" and computes_in_bf16()) else "f32"
    net = network(model).to(where)
    return TorchRuntime(net.to(memory_format=torch.channels_last), chosen, where)  # pyright: ignore[reportCallIssue]

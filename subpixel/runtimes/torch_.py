"""torch: slower on a CPU, at home on CUDA, and where a network is trained."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from subpixel.errors import RuntimeUnavailable
from subpixel.models import Model
from subpixel.models.weights import network
from subpixel.nn.arch import Arch
from subpixel.ports import Ports
from subpixel.runtimes.levels import through_floats
from subpixel.runtimes.runtime import Execution, Precision, Tensors, computes_in_bf16, named


class TorchRuntime:
    """A network in channels_last, without gradients."""

    name = "torch"

    def __init__(self, net: Arch, ports: Ports, precision: Precision, device: str) -> None:
        self.precision: Precision = precision
        self.device = device
        self._network, self._ports = net, ports
        self.run = through_floats(self._floats, ports)

    @torch.inference_mode()
    def _floats(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        inputs = [torch.tensor(feeds[port.name], device=self.device) for port in self._ports.inputs]
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
            results = self._network(*(x.to(memory_format=torch.channels_last) for x in inputs))
        outputs = results if isinstance(results, tuple) else (results,)
        return named(self._ports.outputs, [y.float().cpu().contiguous().numpy() for y in outputs])

    def close(self) -> None:
        del self._network


def open_model(model: Model, execution: Execution) -> TorchRuntime:
    """Rebuilds the torch network of a model file.

    Raises: RuntimeUnavailable for a device that is not there, BadWeights for weights that do not fit.
    """
    device, precision = execution.device, execution.precision
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if where not in ("cpu", "cuda") or (where == "cuda" and not torch.cuda.is_available()):
        raise RuntimeUnavailable(
            f"torch has no device {device!r} here; use cpu" + (" or cuda" if torch.cuda.is_available() else "")
        )
    if execution.threads:
        torch.set_num_threads(execution.threads)
    chosen: Precision = "bf16" if precision == "bf16" or (precision == "auto" and computes_in_bf16()) else "f32"
    net = network(model).to(where)
    fast = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return TorchRuntime(fast, model.card.ports, chosen, where)

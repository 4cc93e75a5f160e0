"""Stops a training whose numbers are no longer finite, and says where it began."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from subpixel.errors import TrainingDiverged


def check(step: int, loss: float, grad_norm: float, network: nn.Module, low: Tensor) -> None:
    """Raises: TrainingDiverged naming the step and the first layer, if the loss or the gradient is not finite."""
    if not math.isfinite(loss):
        layer = _first_nonfinite_layer(network, low)
        where = f"the output of layer {layer}" if layer else "the loss itself, not a layer"
        raise TrainingDiverged(
            f"the loss is {loss} at step {step}, first {where}; lower optim.lr or set optim.clip, "
            "and start again: from the last checkpoint, if the run has one"
        )
    if not math.isfinite(grad_norm):
        names = [n for n, p in network.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
        raise TrainingDiverged(
            f"the gradient is {grad_norm} at step {step}, in {names[0] if names else 'its sum'}; lower optim.lr"
        )


def check_weights(step: int, network: nn.Module) -> None:
    """Raises: TrainingDiverged naming the step and a weight that is not finite: such weights are never saved."""
    for name, weight in network.state_dict().items():
        if not weight.isfinite().all():
            raise TrainingDiverged(
                f"{name} is not finite after step {step}; lower optim.lr or set optim.clip, "
                "and start again: from the last checkpoint, if the run has one"
            )


@torch.no_grad()
def _first_nonfinite_layer(network: nn.Module, low: Tensor) -> str:
    """The name of the first layer whose output is not finite for this batch; empty if there is none."""
    names: list[str] = []

    def hook_of(name: str) -> Any:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, Tensor) and not output.isfinite().all():
                names.append(name)

        return hook

    leaves = [(name, module) for name, module in network.named_modules() if not any(True for _ in module.children())]
    handles = [module.register_forward_hook(hook_of(name)) for name, module in leaves]
    try:
        network(low)
    finally:
        for handle in handles:
            handle.remove()
    return names[0] if names else ""

"""How a fresh network begins: the image passes through it, the first filters see edges, residuals are zero."""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def identity_init(conv: nn.Module, phases: int = 1, gain: float = 1.0, bias: float = 0.0, colours: int = 3) -> None:
    """Lets the first channels of a convolution, the colours, through as they are, each to all of its phases."""
    assert isinstance(conv, nn.Conv2d)
    outputs, centre = colours * phases, conv.kernel_size[0] // 2
    conv.weight[:outputs] = 0
    for k in range(outputs):
        conv.weight[k, k // phases % conv.weight.shape[1], centre, centre] = gain  # counted within its group
    if conv.bias is not None:
        conv.bias[:outputs] = bias


@torch.no_grad()
def zero_mean_init(conv: nn.Module, weakest: float, strongest: float) -> None:
    """Random filters without mean or bias, of norms from `weakest` to `strongest`: they see edges, not brightness.

    In photos brightness varies four times as much as neighbours differ. Filters that see it give the nonlinearity
    hardly anything of an edge to bend, and the network stays almost linear for tens of thousands of steps.
    """
    assert isinstance(conv, nn.Conv2d)
    filters = torch.randn_like(conv.weight)
    filters -= filters.mean((1, 2, 3), keepdim=True)
    norms = torch.logspace(math.log10(weakest), math.log10(strongest), len(filters))
    conv.weight.copy_(filters * (norms / filters.flatten(1).norm(dim=1)).reshape(-1, 1, 1, 1))
    if conv.bias is not None:
        conv.bias.zero_()


def zero_init(layer: nn.Module) -> None:
    """Lets the last layer before a skip begin at zero: the skip alone decides."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)

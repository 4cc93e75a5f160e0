"""A convolution that is wide while it trains and plain when it is deployed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CollapsibleConv(nn.Module):
    """k x k convolution to `expansion` channels, 1x1 back, plus the identity: linear, hence one k x k convolution.

    As in SESR (Bhardwaj et al., MLSys 2022, arXiv:2103.09404) the two kernels are multiplied first and the image is
    convolved once, so a training step costs hardly more than with the plain convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, expansion: int = 128, identity: bool = False
    ) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, expansion, kernel, bias=False)
        self.squeeze = nn.Conv2d(expansion, outputs, 1)
        self.identity = identity and inputs == outputs

    def kernel(self) -> Tensor:
        """The collapsed weight, outputs inputs k k."""
        weight = torch.einsum("op,pikl->oikl", self.squeeze.weight[..., 0, 0], self.expand.weight)
        return weight + _identity(weight) if self.identity else weight

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            weight = self.kernel()
        return F.conv2d(x, weight, self.squeeze.bias, padding=weight.shape[-1] // 2)

    @torch.no_grad()
    def collapse(self) -> nn.Conv2d:
        """The plain convolution that computes the same."""
        weight = self.kernel()
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1], padding=weight.shape[-1] // 2)
        conv.weight.copy_(weight)
        assert conv.bias is not None
        assert self.squeeze.bias is not None
        conv.bias.copy_(self.squeeze.bias)
        return conv

    @torch.no_grad()
    def from_conv_(self, conv: nn.Conv2d) -> None:
        """Computes what a plain convolution of its shape computes; `expansion` must not be below its outputs."""
        weight = conv.weight - _identity(conv.weight) if self.identity else conv.weight
        pseudo_inverse = torch.linalg.pinv(self.squeeze.weight[..., 0, 0])
        self.expand.weight.copy_(torch.einsum("po,oikl->pikl", pseudo_inverse, weight))
        assert conv.bias is not None
        assert self.squeeze.bias is not None
        self.squeeze.bias.copy_(conv.bias)


def _identity(weight: Tensor) -> Tensor:
    """The kernel of the same shape that passes every channel."""
    kernel, centre = torch.zeros_like(weight), weight.shape[-1] // 2
    kernel[..., centre, centre].fill_diagonal_(1)
    return kernel

"""Value ranges inside a network, and what follows a convolution folded into it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean R, G and B of DIV2K's training images, in [0, 1] (Lim et al. 2017)."""


def _means(colours: int) -> tuple[float, ...]:
    """Of RGB; of other channels the mean of these, each."""
    return DIV2K_MEAN if colours == 3 else (sum(DIV2K_MEAN) / 3,) * colours


class Affine(nn.Module):
    """gain x + offset, each colour with its own offset: N C H W, computed in float32.

    Before a convolution with zero padding only the gain can be folded (`scaled_input`): the padding is zero
    after the offset, not before it. Behind a convolution both can.
    """

    offset: Tensor

    def __init__(self, gain: float, offset: Sequence[float]) -> None:
        super().__init__()
        self.gain = gain
        self.register_buffer("offset", torch.tensor(offset)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x.float()
        return (x if self.gain == 1 else x * self.gain) + self.offset


def subtract_mean(peak: float = 1.0, colours: int = 3) -> Affine:
    """Colours in [0, 1] -> colours around DIV2K's mean, in a range as wide as `peak`."""
    return Affine(peak, [-peak * mean for mean in _means(colours)])


def add_mean(peak: float = 1.0, colours: int = 3) -> Affine:
    """The inverse of `subtract_mean`."""
    return Affine(1 / peak, _means(colours))


@torch.no_grad()
def scaled(conv: nn.Conv2d, gain: Tensor | float, offset: Tensor | float = 0.0) -> nn.Conv2d:
    """The convolution that gives gain conv(x) + offset: one number for all outputs, or C numbers, one for each."""
    folded = copy.deepcopy(conv)
    gains = torch.as_tensor(gain, dtype=conv.weight.dtype).expand(conv.out_channels)
    folded.weight.mul_(gains[:, None, None, None])
    bias = torch.zeros_like(gains) if conv.bias is None else conv.bias
    folded.bias = nn.Parameter(bias * gains + offset)
    return folded


def folded_output(conv: nn.Conv2d, output: Affine) -> nn.Conv2d:
    """The convolution that also does the affine step behind it."""
    return scaled(conv, output.gain, output.offset.flatten())


@torch.no_grad()
def scaled_input(conv: nn.Conv2d, gain: float) -> nn.Conv2d:
    """The convolution that gives conv(gain x)."""
    folded = copy.deepcopy(conv)
    folded.weight.mul_(gain)
    return folded


def fold_batchnorm(layers: nn.Sequential) -> nn.Sequential:
    """The same layers in evaluation, each batch normalisation folded into the convolution before it."""
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            conv = folded.pop()
            assert isinstance(conv, nn.Conv2d)
            assert layer.running_mean is not None
            assert layer.running_var is not None
            gain = layer.weight.detach() * torch.rsqrt(layer.running_var + layer.eps)
            folded.append(scaled(conv, gain, layer.bias.detach() - layer.running_mean * gain))
        else:
            folded.append(layer)
    return nn.Sequential(*folded)

"""Enlarging inside a network: sub-pixel convolution, nearest, bicubic, and the exact rewrites between their forms."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel import resample
from subpixel.nn.halo import halo, transposed
from subpixel.nn.init import identity_init


class SubPixelConv(nn.Conv2d):
    """A convolution to `channels` s^2 maps followed by the periodic shuffle (Shi et al., CVPR 2016, equation 4)."""

    def __init__(self, inputs: int, channels: int, kernel: int, scale: int, bias: bool = True) -> None:
        super().__init__(inputs, channels * scale**2, kernel, padding=kernel // 2, bias=bias)
        self.scale = scale

    def phases(self, x: Tensor) -> Tensor:
        """The s^2 maps of each channel before the shuffle: N channels s^2 H W."""
        return super().forward(x)

    def forward(self, input: Tensor) -> Tensor:
        """N C H W -> N channels sH sW."""
        return F.pixel_shuffle(self.phases(input), self.scale)


def subpixel_stages(features: int, factors: Iterable[int], colours: int = 3) -> list[SubPixelConv]:
    """Sub-pixel stages with 3x3 kernels, a factor each, that begin as nearest-neighbour enlargement of the colours."""
    stages = [SubPixelConv(features, features, 3, factor) for factor in factors]
    for stage in stages:
        identity_init(stage, stage.scale**2, colours=colours)
    return stages


def nearest_phases(x: Tensor, scale: int) -> Tensor:
    """Nearest-neighbour enlargement before the shuffle: N C H W -> N C s^2 H W."""
    return x.repeat_interleave(scale**2, dim=1)


def bicubic_kernel(scale: int) -> Tensor:
    """Bicubic enlargement as a convolution: s^2 1 5 5, a filter for each of the s^2 phases, for replicated borders."""
    axis = resample.taps(9, 9 * scale, "bicubic").between(4 * scale, 5 * scale)
    phases = np.zeros((scale, 9))
    np.add.at(phases, (np.arange(scale)[:, None], axis.indices), axis.weights)
    filters = phases[:, 2:7]
    kernel = np.einsum("ai,bj->abij", filters, filters).reshape(scale**2, 1, 5, 5)
    return torch.tensor(kernel, dtype=torch.float32)


BICUBIC_HALO = 2
"""Low-resolution pixels that bicubic enlargement reads on each side."""


class Bicubic(nn.Module):
    """Bicubic enlargement N C H W -> N C sH sW; MATLAB's, but with the border replicated, not mirrored."""

    kernel: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("kernel", bicubic_kernel(scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        padded = F.pad(x.float(), (2, 2, 2, 2), mode="replicate").reshape(n * c, 1, h + 4, w + 4)
        with torch.autocast(x.device.type, enabled=False):
            phases = F.conv2d(padded, self.kernel)
        return F.pixel_shuffle(phases, self.scale).reshape(n, c, h * self.scale, w * self.scale)


def as_subpixel(layer: nn.ConvTranspose2d) -> SubPixelConv:
    """The sub-pixel convolution that equals a transposed convolution of stride s and output size s H x s W.

    Output pixel s y + a of the transposed convolution sums w[k] x[i] over k = s (y - i) + a + padding, so each phase a
    is a small convolution of its own over the low-resolution grid.
    """
    scale, padding, size = layer.stride[0], layer.padding, layer.kernel_size[0]
    pad = int(padding[0])
    reach = halo(scale, transposed(size, scale, pad))
    taps = [(o, a, scale * o + a + pad) for o in range(-reach, reach + 1) for a in range(scale)]
    inside = [(o, a, k) for o, a, k in taps if 0 <= k < size]
    inputs, outputs = layer.weight.shape[:2]
    weight = torch.zeros(outputs, scale, scale, inputs, 2 * reach + 1, 2 * reach + 1)
    for oy, ay, ky in inside:
        for ox, ax, kx in inside:  # input row i = y - o lies at reach - o in the kernel
            weight[:, ay, ax, :, reach - oy, reach - ox] = layer.weight.detach()[:, :, ky, kx].T
    conv = SubPixelConv(inputs, outputs, 2 * reach + 1, scale, bias=layer.bias is not None)
    conv.weight.data = weight.reshape(conv.weight.shape)
    if layer.bias is not None and conv.bias is not None:
        conv.bias.data = layer.bias.detach().repeat_interleave(scale**2)
    return conv


class WideConv(nn.Module):
    """A convolution with few outputs, computed for b x b pixels at a time: stride b, b^2 times the outputs, a shuffle.

    The same sums, but the vector lanes of a CPU are full.
    """

    def __init__(self, conv: nn.Conv2d, block: int) -> None:
        super().__init__()
        size, pad = conv.kernel_size[0], conv.kernel_size[0] // 2
        wide = torch.zeros(conv.out_channels, block, block, conv.in_channels, size + block - 1, size + block - 1)
        for a in range(block):
            for b in range(block):
                wide[:, a, b, :, a : a + size, b : b + size] = conv.weight.detach()
        self.block, self.pad = block, pad
        self.weight = nn.Parameter(wide.reshape(-1, conv.in_channels, size + block - 1, size + block - 1))
        bias = torch.zeros(conv.out_channels) if conv.bias is None else conv.bias.detach()
        self.bias = nn.Parameter(bias.repeat_interleave(block**2))

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.pad, self.pad + self.block - 1
        phases = F.conv2d(F.pad(x, (before, after, before, after)), self.weight, self.bias, self.block)
        return F.pixel_shuffle(phases, self.block)[..., : x.shape[2], : x.shape[3]]

    @torch.no_grad()
    def unblock(self) -> nn.Conv2d:
        """The convolution that it computes: the kernel of a block's first pixel, of which the others' are copies."""
        copies, size = self.block**2, self.weight.shape[-1] - self.block + 1
        conv = nn.Conv2d(self.weight.shape[1], len(self.weight) // copies, size, padding=self.pad)
        conv.weight.copy_(self.weight[::copies, :, :size, :size])
        assert conv.bias is not None
        conv.bias.copy_(self.bias[::copies])
        return conv


def unblock_all(network: nn.Module) -> None:
    """Puts plain convolutions in the places of the wide ones, whose copies a training would make differ."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, WideConv):
                setattr(module, name, child.unblock())

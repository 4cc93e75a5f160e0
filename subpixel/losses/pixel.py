"""Losses that compare pixel with pixel: N C H W in [0, 1], twice -> a mean."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from subpixel import color

EPSILON = 1e-3
"""Where the Charbonnier loss turns from squared to absolute (Lai et al. 2017, section 3.2)."""

ROUNDING = 1 / (12 * 255**2)
"""Mean squared error of values rounded to 8 bit."""


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of two tensors of one shape: sharper than l2, quicker to train (Lim et al. 2017)."""
    return F.l1_loss(output, target)


def l2(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two tensors of one shape: what PSNR measures."""
    return F.mse_loss(output, target)


def psnr(output: Tensor, target: Tensor) -> Tensor:
    """Minus the mean PSNR of N C H W in [0, 1], in units of 10 dB, at most 5.89, that of values rounded to 8 bit."""
    return torch.log10(((output - target) ** 2).mean(dim=(1, 2, 3)) + ROUNDING).mean()


def luma_psnr(output: Tensor, target: Tensor) -> Tensor:
    """`psnr` of the luma of N 3 H W: what the field's tables measure (Y of BT.601)."""
    weights = output.new_tensor(color.FORWARD[0]).view(1, 3, 1, 1)
    return psnr((output * weights).sum(1, keepdim=True), (target * weights).sum(1, keepdim=True))


def charbonnier(output: Tensor, target: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + EPSILON^2), d of any shape: absolute, but smooth at 0 (Lai et al. 2017, equation 1)."""
    return torch.sqrt((output - target) ** 2 + EPSILON**2).mean()


def low_pass(output: Tensor, target: Tensor) -> Tensor:
    """`l1` of the means of 8x8 pixels of N C H W: holds colours and brightness, the detail between is free."""
    return F.l1_loss(F.avg_pool2d(output, 8), F.avg_pool2d(target, 8))


def lattice(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference in what repeats every 4 pixels: zero for any that is constant over 32 x 32 pixels.

    Of each of the 4 x 4 phases the mean over such a block, less the block's mean. Sub-pixel convolutions leave a
    lattice that no other loss sees, since it is weak and everywhere (Aitken et al. 2017, arXiv:1707.02937).
    """
    height, width = (side // 4 * 4 for side in output.shape[-2:])
    phases = F.pixel_unshuffle((output - target)[..., :height, :width], 4).unflatten(1, (-1, 16))
    means = F.avg_pool3d(phases, (1, *(min(8, side) for side in phases.shape[-2:])))
    return (means - means.mean(2, keepdim=True)).abs().mean()


def total_variation(output: Tensor) -> Tensor:
    """Mean absolute step to the right and down in N C H W: smoothness (Johnson et al. 2016; anisotropic)."""
    right = output[..., :, 1:] - output[..., :, :-1]
    down = output[..., 1:, :] - output[..., :-1, :]
    return (right.abs().sum() + down.abs().sum()) / output.numel()

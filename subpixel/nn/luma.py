"""Networks that see only the luma: RGB -> YCbCr, the network on Y, bicubic on the chroma, and back."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel import color
from subpixel.nn.upsampling import bicubic_kernel

_Y = [float(v) for v in color.FORWARD[0]]
_OFFSET = float(color.OFFSET[0])
_GAIN = float(color.INVERSE[0, 0])  # 255 / 219, the weight of Y in each of R, G and B


def luma(rgb: Tensor) -> Tensor:
    """BT.601 luma, N 3 H W in [0, 1] -> N 1 H W in [16/255, 235/255]."""
    return rgb[:, 0:1] * _Y[0] + rgb[:, 1:2] * _Y[1] + rgb[:, 2:3] * _Y[2] + _OFFSET


def with_luma(rgb: Tensor, y: Tensor) -> Tensor:
    """N 3 H W with its luma replaced by y, N 1 H W, its chroma kept: what YCbCr -> RGB of (y, Cb, Cr) gives."""
    return rgb + (y - luma(rgb)) * _GAIN


class Chroma(nn.Module):
    """What a luma-only network leaves to bicubic: the enlarged image without its luma, as N 3 s^2 H W phases.

    Enlarging RGB, taking its luma away and adding another is linear: one fixed convolution, before the shuffle.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        without_luma = torch.eye(3) - _GAIN * torch.tensor(_Y).expand(3, 3)
        weight = torch.einsum("oi,pkl->opikl", without_luma, bicubic_kernel(scale)[:, 0])
        self.register_buffer("weight", weight.reshape(-1, 3, 5, 5), persistent=False)
        self.register_buffer("bias", torch.full((3 * scale**2,), -_GAIN * _OFFSET), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """N 3 H W in [0, 1] -> N 3 s^2 H W, float32."""
        with torch.autocast(x.device.type, enabled=False):
            return F.conv2d(F.pad(x.float(), (2, 2, 2, 2), mode="replicate"), self.weight, self.bias)


def luma_only(phases: Tensor, x: Tensor, chroma: Chroma) -> Tensor:
    """A post-upsampling network on Y: N 3 H W -> N 3 sH sW; bicubic enlarges the chroma.

    phases: the luma that it makes of x, N s^2 H W.
    """
    gray = phases.float() * _GAIN
    return F.pixel_shuffle(chroma(x) + torch.cat([gray, gray, gray], dim=1), chroma.scale)


def luma_refined(body: Callable[[Tensor], Tensor], enlarged: Tensor) -> Tensor:
    """A pre-upsampling network on Y: the body refines the luma, N 1 H W, of the enlarged image, N 3 H W."""
    return with_luma(enlarged, body(luma(enlarged)).float())

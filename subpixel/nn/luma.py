"""Networks that see only the luma: RGB -> YCbCr, the network on Y, bicubic on the chroma, and back."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from subpixel import color

_Y = [float(v) for v in color.FORWARD[0]]
_OFFSET = float(color.OFFSET[0])
_GAIN = float(color.INVERSE[0, 0])  # 255 / 219, the weight of Y in each of R, G and B


def luma(rgb: Tensor) -> Tensor:
    """BT.601 luma, N 3 H W in [0, 1] -> N 1 H W in [16/255, 235/255]."""
    return rgb[:, 0:1] * _Y[0] + rgb[:, 1:2] * _Y[1] + rgb[:, 2:3] * _Y[2] + _OFFSET


def with_luma(rgb: Tensor, y: Tensor) -> Tensor:
    """The picture with its luma replaced by y and its chroma kept: what YCbCr -> RGB of (y, Cb, Cr) gives."""
    return rgb + (y - luma(rgb)) * _GAIN


def luma_only(body: Callable[[Tensor], Tensor], x: Tensor, enlarge: Callable[[Tensor], Tensor]) -> Tensor:
    """A post-upsampling network on Y: the body enlarges the luma, `enlarge` (bicubic) the chroma.

    The conversions are linear and Y weighs the same in R, G and B, so enlarging RGB and exchanging its luma is the
    same as enlarging Cb and Cr, with one conversion less.
    """
    return with_luma(enlarge(x), body(luma(x)).float())


def luma_refined(body: Callable[[Tensor], Tensor], enlarged: Tensor) -> Tensor:
    """A pre-upsampling network on Y: the body refines the luma of the enlarged picture."""
    return with_luma(enlarged, body(luma(enlarged)).float())

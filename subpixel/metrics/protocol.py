"""How a result and its reference are prepared before any metric; without it, a PSNR means nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from subpixel import color
from subpixel.errors import BadRequest

Rounding = Literal["none", "images", "reference", "both"]


@dataclass(frozen=True)
class Protocol:
    """What is compared; the defaults are the field's (`STANDARD`).

    Raises: BadRequest for a negative border or a rounding that does not exist.
    """

    luma: bool = True
    """Compare the Y of BT.601 in [16/255, 235/255]; of a gray image, the pixels as they are."""
    shave: int | Literal["scale"] = "scale"
    """Pixels taken off every side; "scale": as many as the factor."""
    round8: Rounding = "reference"
    """Which values are rounded to 8 bit.

    "none"; "images": both, before the luma is taken, as if saved and read again; "reference": only the luma
    of the reference, as MATLAB's rgb2ycbcr gives it for a uint8 image; "both": the luma of both.
    """
    modcrop: bool = True
    """Cut the reference at the right and the bottom to a multiple of the scale."""

    def __post_init__(self) -> None:
        if self.shave != "scale" and self.shave < 0:
            raise BadRequest(f"shave is {self.shave}; expected 'scale' or a number of pixels from 0")
        if self.round8 not in get_args(Rounding):
            raise BadRequest(f"round8 is {self.round8!r}; expected one of {', '.join(get_args(Rounding))}")

    def __str__(self) -> str:
        shave = "scale" if self.shave == "scale" else f"{self.shave} px"
        crop = "modcrop" if self.modcrop else "no modcrop"
        values = "Y (BT.601)" if self.luma else "RGB"
        return f"{values}, shave {shave}, rounded to 8 bit: {self.round8}, {crop}"

    def prepare(
        self, result: NDArray[Any], reference: NDArray[Any], scale: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both images as a metric takes them: float64, H W for luma, else H W C.

        result, reference: H W C or H W (gray), float in [0, 1]; scale: the factor of the enlargement.
        Raises: BadRequest if sizes or numbers of channels differ, or nothing is left between the borders.
        """
        if self.modcrop:
            reference = modcrop(reference, scale)
        same_shape(result, reference)
        border = scale if self.shave == "scale" else self.shave
        if min(reference.shape[:2]) <= 2 * border:
            height, width = reference.shape[:2]
            raise BadRequest(f"an image of {width}x{height} pixels has nothing inside a border of {border}")
        inside = slice(border, -border or None)
        return (
            self._values(result[inside, inside], self.round8 == "both"),
            self._values(reference[inside, inside], self.round8 in ("both", "reference")),
        )

    def _values(self, pixels: NDArray[Any], rounded: bool) -> NDArray[np.float64]:
        values = _exact(pixels)
        if self.round8 == "images":
            values = round8(values)
        if self.luma and values.ndim == 3:
            values = values[..., 0] if values.shape[2] == 1 else color.luma(values)
        return round8(values) if rounded else values


STANDARD = Protocol()
"""The field's protocol: Y, a border of `scale` pixels, the reference's Y in 8 bit.

Under it, bicubic gives 33.66, 30.40 and 28.42 dB on Set5 (x2, x3, x4; published: 33.66, 30.39, 28.42).
"""


def round8(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of any shape in [0, 1] -> the nearest multiples of 1/255, halves up; clipped."""
    return np.floor(np.clip(values, 0, 1) * 255 + 0.5) / 255


def _exact(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """In double precision; what single precision made of k/255 becomes k/255 again, as a rounded reference has it."""
    values = pixels.astype(np.float64)
    levels = round8(values)
    return np.where(levels.astype(np.float32) == values, levels, values)


def modcrop(pixels: NDArray[Any], scale: int) -> NDArray[Any]:
    """The largest upper left part of H W or H W C whose sides are multiples of the scale.

    Raises: BadRequest if a side is shorter than the scale.
    """
    height, width = (n // scale * scale for n in pixels.shape[:2])
    if not height or not width:
        raise BadRequest(f"an image of {pixels.shape[1]}x{pixels.shape[0]} is smaller than the scale {scale}")
    return pixels[:height, :width]


def same_shape(result: NDArray[Any], reference: NDArray[Any]) -> None:
    """Raises: BadRequest if two images cannot be compared pixel by pixel."""
    if result.shape != reference.shape or not result.size:
        raise BadRequest(f"the result has shape {result.shape}, the reference {reference.shape}; expected one")

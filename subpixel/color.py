"""BT.601 luma and chroma in the "studio" range, exactly as MATLAB's rgb2ycbcr and ycbcr2rgb.

The field measures PSNR on this luma: for RGB in [0, 1] it runs from 16/255 to 235/255, so a luma error is 219/255 of
the error a full-range luma would show. Everything else that speaks of luma in this project means this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FORWARD: NDArray[np.float64] = (
    np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
)
"""Rows Y, Cb, Cr; columns R, G, B; for values in [0, 1] (ITU-R BT.601, 8-bit quantisation)."""

OFFSET: NDArray[np.float64] = np.array([16.0, 128.0, 128.0]) / 255
INVERSE: NDArray[np.float64] = np.linalg.inv(FORWARD).astype(np.float64)


def luma(rgb: NDArray[Any]) -> NDArray[Any]:
    """The Y of an image: ... 3 in [0, 1] -> ... in [16/255, 235/255], of the same float type."""
    return rgb @ FORWARD[0].astype(rgb.dtype) + OFFSET[0].astype(rgb.dtype)


def gray(rgb: NDArray[Any]) -> NDArray[Any]:
    """An image without its colours: levels or floats ... 3 -> ... 1, the luma over the whole range, levels rounded."""
    values = rgb @ (FORWARD[0] / FORWARD[0].sum()).astype(np.float32)
    return (values if rgb.dtype.kind == "f" else np.floor(values + np.float32(0.5)).astype(rgb.dtype))[..., None]


def to_ycbcr(rgb: NDArray[Any]) -> NDArray[Any]:
    """RGB ... 3 in [0, 1] -> YCbCr ... 3 in [16/255, 240/255], of the same float type; not clipped."""
    return rgb @ FORWARD.T.astype(rgb.dtype) + OFFSET.astype(rgb.dtype)


def to_rgb(ycbcr: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `to_ycbcr`: YCbCr ... 3 -> RGB ... 3 in [0, 1], of the same float type; not clipped."""
    return (ycbcr - OFFSET.astype(ycbcr.dtype)) @ INVERSE.T.astype(ycbcr.dtype)

"""The planes of a frame as arrays, and where their samples lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import av
import numpy as np
from numpy.typing import NDArray

from subpixel.resample import Taps, taps

Plane = NDArray[Any]
"""H W of codes: uint8 for 8 bits, else uint16."""

_SUBSAMPLED = {(1, 1): "420", (0, 1): "422", (0, 0): "444", (0, 2): "411", (2, 2): "410", (1, 0): "440"}


@dataclass(frozen=True)
class Layout:
    """One of FFmpeg's pixel formats with a plane for each component, of 8 to 16 bits, little-endian."""

    bits: int
    is_rgb: bool = False
    is_gray: bool = False
    alpha: bool = False
    sub: tuple[int, int] = (0, 0)
    """How often chroma is halved, down and across."""

    @classmethod
    def of(cls, format: av.VideoFormat) -> Self:
        """The layout that holds all that a pixel format can: packed ones become planar, and floats codes of 16 bits."""
        parts = format.components
        is_rgb = format.is_rgb or format.has_palette or format.is_bayer
        alpha = format.has_palette or any(part.is_alpha for part in parts)
        bits = 8 if format.has_palette else min(16, max(8, max(part.bits for part in parts)))
        is_gray = not is_rgb and len(parts) - alpha == 1
        if is_rgb or is_gray:
            return cls(bits, is_rgb or alpha, is_gray and not alpha, alpha)
        halved = (format.chroma_height(1 << 10), format.chroma_width(1 << 10))
        down, across = (10 - (length.bit_length() - 1) for length in halved)
        return cls(bits, False, False, alpha, (down, across))

    @property
    def name(self) -> str:
        """What FFmpeg calls it."""
        depth = f"{self.bits}le" if self.bits > 8 else ""
        if self.is_gray:
            return f"gray{depth}"
        a = "a" if self.alpha else ""
        return f"gbr{a}p{depth}" if self.is_rgb else f"yuv{a}{_SUBSAMPLED[self.sub]}p{depth}"

    def is_in(self, format: av.VideoFormat) -> bool:
        """Whether the planes of that pixel format are these already."""
        return format.name.replace("yuvj", "yuv") == self.name

    @property
    def dtype(self) -> type[np.unsignedinteger]:
        """Of its samples in memory."""
        return np.uint8 if self.bits == 8 else np.uint16


def planes(frame: av.VideoFrame, layout: Layout) -> list[Plane]:
    """Copies of the planes: Y Cb Cr, or G B R, or gray, and alpha behind them."""
    if not layout.is_in(frame.format):
        kept = frame.color_range or None
        frame = frame.reformat(format=layout.name, src_color_range=kept, dst_color_range=kept)
    return [_view(plane, layout).copy() for plane in frame.planes]


def frame_of(arrays: list[Plane], layout: Layout) -> av.VideoFrame:
    """The planes as a frame."""
    height, width = arrays[0].shape
    frame = av.VideoFrame(width, height, layout.name)
    for plane, array in zip(frame.planes, arrays, strict=True):
        _view(plane, layout)[:] = array
    return frame


def _view(plane: Any, layout: Layout) -> Plane:
    rows = np.frombuffer(plane, layout.dtype).reshape(-1, plane.line_size // np.dtype(layout.dtype).itemsize)
    return rows[: plane.height, : plane.width]


@dataclass(frozen=True)
class Grid:
    """Where the samples of a plane lie along one axis, in pixels of luma: the first at `phase`, one every `step`."""

    step: int = 1
    phase: float = 0.0

    @classmethod
    def of(cls, halvings: int, centred: bool) -> Self:
        """The samples of chroma, in the middle of the pixels that share them or at the first."""
        step = 1 << halvings
        return cls(step, (step - 1) / 2 if centred else 0.0)

    def taps(self, length: int, target: int, scale: float, to: Grid) -> Taps:
        """What takes the samples of this grid to those of another, luma being enlarged by `scale`."""
        ratio = scale * self.step / to.step
        place = ((to.phase + 0.5) / scale - 0.5 - self.phase) / self.step  # of the first result
        return taps(length, target, "bicubic", ratio, place - (0.5 / ratio - 0.5))

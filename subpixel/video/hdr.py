"""Static metadata of HDR, SMPTE ST 2086 and CTA-861.3, as frames carry it and encoders are told it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Self

from av.sidedata.sidedata import Type

DYNAMIC = {
    Type.DYNAMIC_HDR_PLUS: "HDR10+ (dynamic metadata)",
    Type.DOVI_METADATA: "Dolby Vision (dynamic metadata)",
    Type.DOVI_RPU_BUFFER: "Dolby Vision (dynamic metadata)",
    Type.DYNAMIC_HDR_VIVID: "HDR Vivid (dynamic metadata)",
}
"""What says of each scene how it is shown; encoders cannot be given it."""
_MASTERING, _LIGHT = struct.Struct("=20iii"), struct.Struct("=II")
_CHROMATICITY, _LUMINANCE = 50000, 10000
"""Units of x265 and x264: 0.00002, and 0.0001 candela a square metre."""


def side_data(frame: Any) -> dict[Type, bytes]:
    """What a frame carries beside its pixels. (Up to PyAV 18 the values are walked through, from 19 on the kinds.)"""
    return {kind: bytes(frame.side_data[kind]) for kind in Type if kind in frame.side_data}


@dataclass(frozen=True)
class Static:
    """The display that a video was mastered on, and how bright it gets."""

    mastering: tuple[float, ...] = ()
    """x and y of red, green, blue and white, least and greatest luminance; empty where nothing is said."""
    light: tuple[int, int] | None = None
    """The brightest pixel and the brightest frame on average, in candela a square metre."""

    @classmethod
    def of(cls, frame: Any) -> Self:
        """What a frame carries."""
        blocks = side_data(frame)
        mastering: tuple[float, ...] = ()
        if Type.MASTERING_DISPLAY_METADATA in blocks:
            *numbers, primaries, luminance = _MASTERING.unpack_from(blocks[Type.MASTERING_DISPLAY_METADATA])
            if primaries and luminance:
                mastering = tuple(a / b if b else 0.0 for a, b in zip(numbers[::2], numbers[1::2], strict=True))
        light = blocks.get(Type.CONTENT_LIGHT_LEVEL)
        return cls(mastering, _LIGHT.unpack_from(light) if light else None)

    def display(self, whole: bool) -> str:
        """G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min), in the units of x265, or in those of SVT-AV1, which are not whole."""
        by, bright = (_CHROMATICITY, _LUMINANCE) if whole else (1, 1)
        xy = [f"{round(v * by) if whole else v}" for v in self.mastering[:8]]
        low, high = (f"{round(v * bright) if whole else v}" for v in self.mastering[8:])
        red, green, blue, white = (f"({xy[k]},{xy[k + 1]})" for k in range(0, 8, 2))
        return f"G{green}B{blue}R{red}WP{white}L({high},{low})"

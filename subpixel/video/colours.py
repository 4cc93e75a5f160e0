"""What a video states of its colours, and the exact matrices between Y'CbCr and R'G'B' (ITU-T H.273)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from subpixel.images import Floats

UNSPECIFIED = 2
FULL = 2
"""The range of JPEG, 0 to 255, as FFmpeg counts; 1 is that of MPEG, 16 to 235."""
_KR_KB = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087),
          9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}  # fmt: skip
_PAL, _NTSC = 5, 6
_SD_ROWS = 576
"""Players take untagged video of at most this height for standard definition."""


@dataclass(frozen=True)
class Colours:
    """Numbers of H.273; 2 where nothing is said, 0 for an unsaid range."""

    range: int = 0
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @property
    def is_full(self) -> bool:
        """Whether black is 0, and not 16 of 255."""
        return self.range == FULL

    @property
    def is_hdr(self) -> bool:
        """PQ or HLG."""
        return self.transfer in (16, 18)

    @property
    def is_known(self) -> bool:
        """Whether the matrix is unsaid, or one that is computed with here."""
        return self.matrix in (UNSPECIFIED, *_KR_KB)

    def stated(self, height: int, target: int) -> Colours:
        """The same said aloud where a player would take the larger result for another standard than its source."""
        if height > _SD_ROWS or target <= _SD_ROWS:
            return self
        system = _PAL if height in (288, 576) else _NTSC
        values = {
            name: system if name != "transfer" else _NTSC
            for name in ("matrix", "primaries", "transfer")
            if getattr(self, name) == UNSPECIFIED
        }
        return replace(self, **values)

    def weights(self, height: int) -> tuple[float, float]:
        """Kr and Kb of the matrix; of the one that players assume for this height where none is stated."""
        return _KR_KB.get(self.matrix) or _KR_KB[_NTSC if height <= _SD_ROWS else 1]


def to_rgb(y: Floats, cb: Floats, cr: Floats, weights: tuple[float, float]) -> Floats:
    """Y in [0, 1] and Cb, Cr in [-1/2, 1/2], each H W, to R'G'B' H W 3, not clipped."""
    kr, kb = weights
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.stack([red, green, blue], axis=-1).astype(np.float32, copy=False)


def to_ycc(rgb: Floats, weights: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """The inverse of `to_rgb`: H W 3 -> Y, Cb and Cr, each H W."""
    kr, kb = weights
    y = rgb @ np.array([kr, 1 - kr - kb, kb], np.float32)
    cb, cr = (rgb[..., 2] - y) * np.float32(0.5 / (1 - kb)), (rgb[..., 0] - y) * np.float32(0.5 / (1 - kr))
    return y, np.asarray(cb, np.float32), np.asarray(cr, np.float32)


def span(bits: int, is_full: bool, chroma: bool) -> tuple[float, float]:
    """The code of 0 and the codes from 0 to 1 (H.273, equations for 8.3)."""
    unit = 2 ** (bits - 8)
    if is_full:
        return (2.0 ** (bits - 1) if chroma else 0.0), 2.0**bits - 1
    return (128.0 * unit, 224.0 * unit) if chroma else (16.0 * unit, 219.0 * unit)


def to_codes(values: NDArray[np.floating], bits: int) -> NDArray[np.unsignedinteger]:
    """Codes as floats, rounded half up and clipped to what the bits can say."""
    rounded = np.clip(values + 0.5, 0, 2**bits - 1)
    return rounded.astype(np.uint8 if bits == 8 else np.uint16)

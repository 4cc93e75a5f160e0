"""What an image of a frame needs: players turn and mirror frames and are told their colours."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

from numpy.typing import NDArray

from subpixel.images.metadata import Colour

_SRGB = {1, 2, 5, 6}
"""Primaries of which nothing is said in a file: those of sRGB, and of standard definition, which are close."""
_HDR = {16, 18}
"""The transfer functions PQ and HLG."""


def colour_of(primaries: int, transfer: int) -> Colour:
    """What an image of a frame says of its R'G'B', by the numbers of ITU-T H.273; nothing where it is (nearly) sRGB."""
    stated = transfer in _HDR or primaries not in _SRGB
    return Colour(cicp=(primaries, transfer, 0, 1)) if stated else Colour()


@dataclass(frozen=True)
class Turn:
    """Rows become columns, or not; then left and right change places, and top and bottom."""

    transposed: bool = False
    across: bool = False
    down: bool = False

    @classmethod
    def of(cls, matrix: bytes | None) -> Self:
        """What a display matrix asks for, to the nearest quarter of a turn: nine int32 as FFmpeg keeps them, or None.

        They are a b u, c d v, x y w of ISO 14496-12: a pixel at (x, y) is shown at (a x + c y, b x + d y).
        """
        if matrix is None:
            return cls()
        a, b, _, c, d, *_ = struct.unpack("=9i", matrix)
        transposed = abs(b) > abs(a)
        return cls(transposed, *(sign < 0 for sign in ((c, b) if transposed else (a, d))))

    def upright(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """A view of H W, or H W C, as it is shown."""
        turned = pixels.swapaxes(0, 1) if self.transposed else pixels
        return turned[:: -1 if self.down else 1, :: -1 if self.across else 1]

    def aspect(self, stored: Fraction) -> Fraction:
        """Width by height of a pixel as it is shown."""
        return 1 / stored if self.transposed else stored

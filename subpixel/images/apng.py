"""Animated PNG of 16 bits: its frames, each re-assembled as a PNG that libvips decodes, and blended in 16 bits.

Source: PNG, third edition (W3C 2025), 11.3.6 (acTL, fcTL, fdAT) and 5.9 (how frames are shown).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from subpixel.images.png import SIGNATURE, chunk
from subpixel.images.samples import vips

Levels = NDArray[np.uint16]
_BACKGROUND, _PREVIOUS = 1, 2
"""How a frame leaves the canvas; 0: as it is."""
_GRAY = (0, 4)
"""Types of colour, the second with alpha."""
_OPAQUE = 65535
_ROWS = 2**18
"""Pixels that are blended together in double precision."""


def planes_of(kind: int, alpha: bool) -> list[int]:
    """Those of R'G'B' and alpha that a result has; gray has one colour. kind: PNG's type of colour."""
    return [*([0] if kind in _GRAY else [0, 1, 2]), *([3] if alpha else [])]


@dataclass
class Frame:
    """A part of the canvas that is replaced, or blended over."""

    width: int
    height: int
    x: int
    y: int
    delay: int
    """Milliseconds."""
    dispose: int
    over: bool
    data: list[bytes] = field(default_factory=list)


class Apng:
    """An animated PNG of 16 bits. Raises: ValueError for one that breaks the rules."""

    def __init__(self, data: bytes) -> None:
        self.frames = list[Frame]()
        self.plays = 0
        self._shared = b""
        """What colours and transparency are, for all frames."""
        numbers = 0
        for kind, body in _chunks(data):
            if kind == b"IHDR":
                self.width, self.height, _, self._kind, _, _, interlaced = struct.unpack(">2I5B", body)
                self._rest = bytes((16, self._kind, 0, 0, interlaced))
            elif kind == b"acTL":
                self.plays = int.from_bytes(body[4:8], "big")
            elif kind == b"tRNS":
                self._shared = chunk(kind, body)
            elif kind in (b"fcTL", b"fdAT"):
                if int.from_bytes(body[:4], "big") != numbers:
                    raise ValueError("its frames are not in order")
                numbers += 1
                self._add(kind, body)
            elif kind == b"IDAT" and self.frames:  # without fcTL before it, it is for viewers that know no animations
                self.frames[-1].data.append(body)

    def _add(self, kind: bytes, body: bytes) -> None:
        if kind == b"fdAT":
            self.frames[-1].data.append(body[4:])
            return
        width, height, x, y, delay, unit, dispose, blend = struct.unpack(">4I2H2B", body[4:])
        if not (0 < width <= self.width - x and 0 < height <= self.height - y and dispose < 3 and blend < 2):
            raise ValueError("a frame leaves the canvas")
        self.frames.append(Frame(width, height, x, y, round(1000 * delay / (unit or 100)), dispose, blend == 1))

    @property
    def alpha(self) -> bool:
        """Whether something of it can be seen through."""
        first = self.frames[0]
        partly = (first.width, first.height) != (self.width, self.height) or first.dispose == _PREVIOUS
        cleared = any(frame.dispose == _BACKGROUND for frame in self.frames)
        return self._kind in (4, 6) or bool(self._shared) or partly or cleared

    @property
    def planes(self) -> list[int]:
        """Of R'G'B' and alpha those that a frame has."""
        return planes_of(self._kind, self.alpha)

    def shown(self) -> Iterator[Levels]:
        """Each frame as it is seen, (H, W, 1 or 3 [+ 1: alpha]). Raises: ValueError, pyvips.Error."""
        canvas = np.zeros((self.height, self.width, 4), np.uint16)
        for k, frame in enumerate(self.frames):
            region = canvas[frame.y : frame.y + frame.height, frame.x : frame.x + frame.width]
            before = region.copy() if frame.dispose == _PREVIOUS and k else np.zeros((), np.uint16)
            levels = self._decoded(frame)
            if frame.over:
                _blend(region, levels)
            else:
                region[:] = levels
            yield canvas[..., self.planes]
            if frame.dispose:
                region[:] = before

    def _decoded(self, frame: Frame) -> Levels:
        """R'G'B' and alpha."""
        header = chunk(b"IHDR", struct.pack(">2I", frame.width, frame.height) + self._rest)
        own = [SIGNATURE, header, self._shared, chunk(b"IDAT", b"".join(frame.data)), chunk(b"IEND", b"")]
        image = vips().Image.pngload_buffer(b"".join(own), fail_on="error")
        levels = np.frombuffer(image.write_to_memory(), np.uint16).reshape(frame.height, frame.width, image.bands)
        colour, alpha = (levels[..., :-1], levels[..., -1:]) if image.bands in (2, 4) else (levels, None)
        opaque = np.full((*levels.shape[:2], 1), _OPAQUE, np.uint16)
        colour = np.broadcast_to(colour, (*levels.shape[:2], 3))
        return np.concatenate([colour, opaque if alpha is None else alpha], axis=-1)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kinds and contents, up to the end of the image. Raises: ValueError where a checksum is wrong."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if zlib.crc32(kind + body) != int.from_bytes(data[at + 8 + size : at + 12 + size], "big"):
            raise ValueError("a checksum is wrong")
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + size
    raise ValueError("it ends before its image does")


def _blend(under: Levels, over: Levels) -> None:
    """Lays levels over others, in place: the operator over of Porter and Duff (1984), alpha not premultiplied."""
    step = max(1, _ROWS // under.shape[1])
    for y in range(0, len(under), step):
        below, above = (part[y : y + step].astype(np.float64) for part in (under, over))
        share = above[..., 3:] / _OPAQUE
        alpha = above[..., 3:] + below[..., 3:] * (1 - share)
        mixed = above[..., :3] * above[..., 3:] + below[..., :3] * below[..., 3:] * (1 - share)
        colour = np.divide(mixed, alpha, out=np.zeros_like(mixed), where=alpha > 0)
        under[y : y + step] = np.floor(np.concatenate([colour, alpha], axis=-1) + 0.5)

"""How many bits a sample of a JPEG XL has, by its header (ISO/IEC 18181-1, annex D); its decoder does not tell."""

from __future__ import annotations

from subpixel.images.boxes import boxes

_SIDES = (1, 9), (1, 13), (1, 18), (1, 30)
_BITS = (8, 0), (10, 0), (12, 0), (1, 6)
_FLOATS = (32, 0), (16, 0), (24, 0), (1, 6)


def bits_of(head: bytes) -> int:
    """Bits of a colour's sample; 0 where the header says it in a way that is not read here."""
    if head.startswith(b"\0\0\0\x0cJXL "):
        parts = (head[start:end] for kind, start, end in boxes(head) if kind in (b"jxlc", b"jxlp"))
        head = next(parts, b"")
        head = head if head.startswith(b"\xff\x0a") else head[4:]  # behind the number of a part
    return _bits(_Stream(head[2:])) if head.startswith(b"\xff\x0a") else 0


class _Stream:
    """Bits, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data[:64], "little")

    def take(self, count: int) -> int:
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value

    def choose(self, choices: tuple[tuple[int, int], ...]) -> int:
        """A number that is one of four, each with bits that are added."""
        start, more = choices[self.take(2)]
        return start + self.take(more)


def _bits(stream: _Stream) -> int:
    _skip_size(stream)
    if stream.take(1):  # all as usual
        return 8
    if stream.take(1):  # an orientation, and whether there are other sizes, a preview or an animation
        stream.take(3)
        if stream.take(3):
            return 0
    return stream.choose(_FLOATS if stream.take(1) else _BITS)


def _skip_size(stream: _Stream) -> None:
    in_eights = stream.take(1)
    for ratio in (False, True):
        if ratio and stream.take(3):  # the width follows from the height
            return
        _ = stream.take(5) if in_eights else stream.choose(_SIDES)

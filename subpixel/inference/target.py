"""The size that is asked for, and the networks that reach it, one after the other. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations_with_replacement, count
from numbers import Real

from subpixel.errors import BadRequest, check_type

LARGEST = 2**20
"""Pixels a side of a result may have."""
MOST = 2**32
"""Pixels a result may have in all; as bare levels they take 13 GB."""


@dataclass(frozen=True)
class Target:
    """What is asked for: a factor, or a size.

    size: "1920x1080" (width x height), "4096x" or "x1080", where the open side follows from the aspect.
    fit: keep the aspect and let the result lie inside `size`; otherwise it has exactly that size.
    Raises: BadRequest for a factor that is no positive number, a size that cannot be read, both at
    once, or a fit that is neither true nor false.
    """

    scale: float | None = None
    size: str | None = None
    fit: bool = False

    def __post_init__(self) -> None:
        if self.scale is not None and self.size is not None:
            raise BadRequest(f"scale {self.scale} and size {self.size}: give one of the two")
        check_type("fit", self.fit, bool)
        if self.fit and self.size is None:
            raise BadRequest("fit: there is no size to lie inside; give one, such as 1920x1080")
        if self.scale is not None:
            is_number = isinstance(self.scale, Real) and self.scale is not True
            number = is_number and math.isfinite(self.scale) and self.scale > 0
            if not number:
                raise BadRequest(f"scale {self.scale!r}; expected a positive number such as 2 or 2.7")
            object.__setattr__(self, "scale", float(self.scale))  # of numpy's, some hold few digits
        if self.size is not None:
            _parse(self.size)

    def sides(self, height: int, width: int, default: float) -> tuple[int, int]:
        """The result's height and width, to the nearest pixel; `default` is the factor if none was given.

        Raises: BadRequest for a result larger than LARGEST or MOST.
        """
        scale = self.scale or default
        tall, wide = height * scale, width * scale
        if self.size is not None:
            asked_wide, asked_tall = _parse(self.size)
            ratios = [a / b for a, b in ((asked_tall, height), (asked_wide, width)) if a]
            scale = min(ratios)
            exact = len(ratios) == 2 and not self.fit
            tall, wide = (asked_tall, asked_wide) if exact else (height * scale, width * scale)
        if max(tall, wide) > LARGEST:
            size = f"{wide:.6g} x {tall:.6g} pixels"
            raise BadRequest(f"the result would have {size}; a side may have at most {LARGEST:,}")
        if tall * wide > MOST:
            size = f"{wide:,.0f} x {tall:,.0f} pixels"
            raise BadRequest(f"the result would have {size}, more than the limit of {MOST:,} in all")
        return max(1, math.floor(tall + 0.5)), max(1, math.floor(wide + 0.5))


def _parse(size: str) -> tuple[int, int]:
    """Width and height, 0 where it is open."""
    text = size.strip().lower() if isinstance(size, str) else ""  # pyright: ignore[reportUnnecessaryIsInstance]
    match = re.fullmatch(r"([1-9]\d{0,8})?x([1-9]\d{0,8})?", text)
    if match is None or not any(match.groups()):
        raise BadRequest(f"size {size!r}; expected WIDTHxHEIGHT such as 1920x1080, 4096x or x1080")
    wide, tall = match.groups()
    return int(wide or 0), int(tall or 0)


def chain(height: int, width: int, sides: tuple[int, int], scales: Iterable[int]) -> tuple[int, ...]:
    """The factors to go through: the nearest sufficient network, else the shortest chain; a kernel does the rest.

    sides: the height and width to reach. scales: the factors there are networks for.
    """
    known = sorted(set(scales), reverse=True)
    if known == [1]:  # it restores: once, whatever the size
        return (1,)
    if not known or (sides[0] <= height and sides[1] <= width):
        return ()
    for length in count(1):
        chains = combinations_with_replacement(known, length)  # larger factors first
        enough = [c for c in chains if height * math.prod(c) >= sides[0] and width * math.prod(c) >= sides[1]]
        if enough:
            return min(enough, key=math.prod)
    raise AssertionError("unreachable: the chains grow")

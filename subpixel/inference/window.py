"""The part of an image that is asked for, in its own pixels. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from subpixel.errors import BadRequest, check_type


@dataclass(frozen=True)
class Window:
    """So many pixels of an image, from a corner that is counted from its first pixel."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """X,Y,WIDTHxHEIGHT in whole numbers. Raises: BadRequest for what is none, or empty."""
        check_type("window", text, str)
        match = re.fullmatch(r"(\d{1,9}),(\d{1,9}),([1-9]\d{0,8})x([1-9]\d{0,8})", text.strip().lower(), re.ASCII)
        if match is None:
            raise BadRequest(f"window {text[:60]!r}; expected X,Y,WIDTHxHEIGHT in whole pixels, such as 100,0,512x512")
        return cls(*map(int, match.groups()))

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width}x{self.height}"

    @property
    def rows(self) -> slice:
        """Its rows of the image."""
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        """Its columns of the image."""
        return slice(self.x, self.x + self.width)

    def check_inside(self, height: int, width: int) -> None:
        """Raises: BadRequest where it is not within an image of these sides."""
        if self.x + self.width > width or self.y + self.height > height:
            raise BadRequest(f"window {self} does not lie within its {width} x {height} pixels")

    def widened(self, reach: int, units: tuple[int, int], sides: tuple[int, int]) -> Window:
        """With at least `reach` pixels around it, as far as the image goes, in steps of `units` (down, across).

        Where a step is longer than the reach, there is nothing around it. sides: height and width of the image.
        """
        y, below = _around(self.y, sides[0] - self.rows.stop, reach, units[0])
        x, behind = _around(self.x, sides[1] - self.columns.stop, reach, units[1])
        return Window(self.x - x, self.y - y, self.width + x + behind, self.height + y + below)


def _around(before: int, behind: int, reach: int, unit: int) -> tuple[int, int]:
    wanted = -(-reach // unit) if unit <= reach else 0
    return min(wanted, before // unit) * unit, min(wanted, behind // unit) * unit

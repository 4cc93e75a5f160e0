"""What every format of science and medicine offers: an opened file with planes, which creates its larger self."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from subpixel.domains.planes import Enlarged, Plane
from subpixel.inference.rows import Rows

Enlarge = Callable[[Plane], Enlarged]
"""Gives the result of a plane; nothing is computed before its rows are pulled."""


class Source(Protocol):
    """An opened file."""

    @property
    def planes(self) -> Sequence[Plane]:
        """What is enlarged, one plane after the other."""
        ...

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        """Writes the result into a new file, or folder, and returns what is to be said of it."""
        ...

    def close(self) -> object:
        """Closes the file."""
        ...


_MOST = 2**18
"""Planes of a file: three times those of a long series of a brain, and some hundred MiB of memory."""


def places(*sides: int) -> Iterator[tuple[int, ...]]:
    """Where the planes of an array lie: the indices of all its axes but the last ones, whose lengths these are.

    Raises: ValueError for a header that claims too many.
    """
    if math.prod(sides) > _MOST:
        raise ValueError(f"it claims {math.prod(sides):,} planes; no more than {_MOST:,} are read")
    return np.ndindex(*sides)


def bands(rows: Rows, step: int = 256) -> Iterator[tuple[int, NDArray[Any]]]:
    """All rows, `step` at a time: the number of the first, and the band, n W C."""
    for y in range(0, rows.shape.height, step):
        yield y, np.asarray(rows.rows(y, min(y + step, rows.shape.height)))

"""What a network is trained on: low and high resolution, and what was drawn to make the one of the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

Array = TypeVar("Array")


@dataclass(frozen=True)
class Sample(Generic[Array]):
    """A batch of aligned crops of one scale s, or one crop: N C P P and N C sP sP, or P P C and sP sP C.

    Arrays hold uint8 or uint16 (labels float32), torch's tensors values in [0, 1].
    """

    low: Array
    high: Array
    labels: Array | None = None
    """What an estimator learns of each crop's degradation (its `labels()`), N L or L; None: nothing."""


Arrays = Sample[NDArray[Any]]

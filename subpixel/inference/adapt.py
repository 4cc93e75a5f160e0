"""How the channels of an image meet a network: equal, gray replicated, or channel by channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.ports import Port, Shape

Array = NDArray[Any]


@dataclass(frozen=True)
class Adapter:
    """Patches of an image to batches of a port, and the results back to the image's channels."""

    equal: bool
    """The network takes the channels as they are; otherwise each goes through it alone."""
    copies: int
    """How often a channel that goes alone is repeated; the results are averaged."""

    def to_batch(self, patch: Array) -> Array:
        """H W C -> N D H W; levels of 8 bit stay as they lie, 1 H W C."""
        if patch.dtype == np.uint8:
            return patch[None]
        channels = patch.transpose(2, 0, 1)
        if self.equal:
            return np.ascontiguousarray(channels[None])
        return np.repeat(channels[:, None], self.copies, axis=1)

    def channels(self, batch: Array) -> Array:
        """N D H W -> C H W, or C copies H W where a channel is the mean of its copies."""
        return batch[0] if self.equal else batch


def adapt(shape: Shape, port: Port) -> Adapter:
    """How an image meets an image port: gray is replicated for RGB, and other numbers of channels go one by one.

    A sequence of frames lies in the channels: it has to have the port's depth.
    """
    return Adapter(equal=shape.channels == port.depth, copies=port.depth)

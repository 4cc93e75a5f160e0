"""Motion between two frames, and what was known of the one carried along it to the other; nothing in it is learned.

The flow is that of Lucas and Kanade (IJCAI 1981): around each pixel, the shift that lowers the sum of squared
differences most, from the gradients; found on a pyramid from coarse to fine (Bouguet 2000). The enlarged frame before
is sampled along it for each phase of the next one, as FRVSR warps its own result (Sajjadi et al. 2018,
arXiv:1801.04590).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.ports import Port, Ports

ROUNDS = (3, 2, 1)
"""How often the flow is improved on each level of the pyramid, the smallest first."""
REACH = 10 * (3 * 4 + 2 * 2 + 1 * 1) + 9
"""Pixels around one that can change its flow, at most: a round adds ten of its level's, the pyramid and the last
doubling nine."""
_STEADY = 16 * 2e-5
"""Added to the squared gradients, so that nothing moves where there are none."""


class Alignment(nn.Module):
    """What a recurrent network is given beside a frame, out of the frame before and what it made of that."""

    def __init__(self, scale: int, hidden: int) -> None:
        super().__init__()
        self.scale, self.hidden = scale, hidden

    @property
    def ports(self) -> Ports:
        """The frame, the one before, that one enlarged, and the features kept of it -> `carried`."""
        before = (
            Port("before", "map", 1),
            Port("enlarged", "map", 1, scale=self.scale),
            Port("kept", "map", self.hidden),
        )
        return Ports((Port("low", channels=1), *before), (Port("carried", "map", self.scale**2 + self.hidden + 1),))

    def forward(self, low: Tensor, before: Tensor, enlarged: Tensor, kept: Tensor) -> Tensor:
        """N 1 H W, N 1 H W, N 1 sH sW, N hidden H W -> N s^2 + hidden + 1 H W.

        By channels: how each phase of the frame before differs from the frame; the features; 1, for something is known.
        """
        with torch.no_grad():
            grid = places(flow(low, before))
        phases = [_sampled(enlarged, grid + offset, "bicubic") for offset in self._offsets(low)]
        return torch.cat([torch.cat(phases, 1) - low, _sampled(kept, grid), torch.ones_like(low)], 1)

    def _offsets(self, low: Tensor) -> list[Tensor]:
        """From the middle of a pixel to those of its parts, in the coordinates of `places`, row by row."""
        (height, width), s = low.shape[2:], self.scale
        steps = [(2 * k + 1 - s) / s for k in range(s)]
        return [low.new_tensor([1 / width, 1 / height]) * low.new_tensor([x, y]) for y in steps for x in steps]


def flow(now: Tensor, before: Tensor) -> Tensor:
    """Where each pixel was in the frame before: N 1 H W in [0, 1], twice -> N 2 H W, right and down, in pixels.

    It is found for every second pixel of a level.
    """
    pyramid = [_mean(torch.cat([now, before], 1))]
    for _ in ROUNDS[1:]:
        pyramid.append(_halved(pyramid[-1], 1))
    motion = torch.zeros_like(_halved(pyramid[-1]))
    for rounds, level in zip(ROUNDS, reversed(pyramid), strict=True):
        motion = motion if level is pyramid[-1] else _doubled(motion, _halved(level))
        for _ in range(rounds):
            motion = _improved(motion, level[:, :1], level[:, 1:])
    return _doubled(motion, now)


def places(flow: Tensor) -> Tensor:
    """Where to sample, N H W 2: the frame's width and height are [-1, 1], as `grid_sample` has it."""
    height, width = flow.shape[2:]
    y, x = ((torch.arange(n, dtype=flow.dtype, device=flow.device) + 0.5) * (2 / n) - 1 for n in (height, width))
    return torch.stack([flow[:, 0] * (2 / width) + x, flow[:, 1] * (2 / height) + y[:, None]], -1)


def _improved(flow: Tensor, now: Tensor, before: Tensor) -> Tensor:
    """The flow of half the size, and the shift that is left: (J^T J) d = -J^T e, over 6 x 6 pixels."""
    moved = _sampled(before, places(_doubled(flow, now)))
    x, y = _gradient(moved + now)  # four times that of their mean
    error = moved - now
    products = _halved(torch.cat([x * x, x * y, y * y, x * error, y * error], 1))
    xx, xy, yy, xe, ye = _mean(products).split(1, 1)
    xx, yy = xx + _STEADY, yy + _STEADY
    scale = 4 / (xx * yy - xy * xy)
    shift = torch.cat([(xy * ye - yy * xe) * scale, (xy * xe - xx * ye) * scale], 1).clamp(-1, 1)
    return _mean(flow + shift / 2)


def _doubled(flow: Tensor, like: Tensor) -> Tensor:
    return 2 * F.interpolate(flow, size=like.shape[2:], mode="bilinear", align_corners=False)


def _sampled(image: Tensor, grid: Tensor, mode: str = "bilinear") -> Tensor:
    return F.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=False)


def _mean(x: Tensor) -> Tensor:
    """Of 3 x 3 pixels; beyond the border it goes on as it ends."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (1, 3), 1), (3, 1), 1)


def _halved(x: Tensor, reach: int = 0) -> Tensor:
    """The mean of each 2 x 2 pixels, and of so many around them."""
    padded = F.pad(x, (reach, reach + x.shape[3] % 2, reach, reach + x.shape[2] % 2), mode="replicate")
    return F.avg_pool2d(padded, 2 + 2 * reach, 2)


def _gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """To the right and down, times two."""
    padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2], padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]

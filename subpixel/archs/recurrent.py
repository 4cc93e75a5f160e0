"""recurrent: swift on luma with a memory, for frames that follow one another.

Each frame is enlarged with what was made of the one before, carried along the motion (`nn.motion`): its own result, in
phases, and a few features. Where the two agree the result is a mean of both, with weights that the network gives, as a
Kalman filter has it; so the samples of many frames, which lie at other places of the scene, meet in one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.nn.arch import Arch, Paper
from subpixel.nn.motion import Alignment
from subpixel.ports import Port, Ports

_DOUBT = 2.0
"""Below this a gate is more closed than open: a fresh network trusts the frame."""


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor."""
    channels: int = 32
    """Width of every layer inside."""
    layers: int = 10
    """3x3 convolutions, the tail included."""
    hidden: int = 8
    """Features that are kept for the next frame."""


class Recurrent(Arch[Config]):
    """Plain 3x3 convolutions on Y and on what is carried; a clip is a gray image with its frames as channels."""

    paper = Paper("subpixel's own, after FRVSR: the result before, warped, meets the frame", 2026, "1801.04590")
    EXAMPLE = Config(channels=8, layers=3, hidden=2)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c, phases = config.channels, config.scale**2
        layers: list[nn.Module] = [nn.Conv2d(1 + phases + config.hidden, c, 3, padding=1), nn.PReLU(c)]
        for _ in range(config.layers - 2):
            layers += [nn.Conv2d(c, c, 3, padding=1), nn.PReLU(c)]
        self.body = nn.Sequential(*layers, nn.Conv2d(c, 2 * phases + config.hidden, 3, padding=1))
        self.alignment = Alignment(config.scale, config.hidden)

    @property
    def halo(self) -> int:
        return self.config.layers

    @property
    def ports(self) -> Ports:
        carried = self.alignment.ports.outputs[0]
        return Ports(
            (Port("low", channels=1), carried),
            (Port("high", channels=1, scale=self.config.scale), Port("kept", "map", self.config.hidden)),
        )

    def forward(self, low: Tensor, carried: Tensor) -> tuple[Tensor, Tensor]:
        """N 1 H W and what `Alignment` gives, or zeros for a first frame -> N 1 sH sW, and N hidden H W in [-1, 1]."""
        phases = self.config.scale**2
        before, known = carried[:, :phases], carried[:, -1:]
        features = self.body(torch.cat([low - 0.5, carried[:, :-1]], 1)).float()
        residual, gate, kept = features.split([phases, phases, self.config.hidden], 1)
        trust = known * torch.sigmoid(gate - _DOUBT)
        high = F.pixel_shuffle(residual + trust * (before - residual) + low, self.config.scale)
        return high, kept.clamp(-1, 1)

    def outputs(self, x: Tensor, port: str = "", **condition: Tensor) -> list[tuple[Tensor, int]]:
        """The enlarged frames of a clip, N T H W -> N T sH sW, each with what is known of those before."""
        first, *others = x.split(1, 1)
        before, (high, kept) = first, self(first, x.new_zeros(len(x), self.ports.inputs[1].depth, *x.shape[2:]))
        results = [high]
        for low in others:
            high, kept = self(low, self.alignment(low, before, high, kept))
            results, before = [*results, high], low
        return [(torch.cat(results, 1), self.config.scale)]

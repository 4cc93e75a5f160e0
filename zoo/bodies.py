"""Bodies that the next swift could have: what equal training makes of each at equal latency.

    for body in BODY ...; do
      subpixel train zoo/bodies.toml --set config.body=$body --set seed=0 --set name=$body \\
        --data TILES --validation PHOTOS --run RUNS/$body-0
    done
    python -m zoo.bodies BENCH RUNS       # PSNR of each seed beside milliseconds, as Markdown

BENCH holds folders of photos. Every body lies between swift's two ends: an image minus 0.5 goes in, the difference to
nearest-neighbour enlargement comes out. Widths and depths are such that the network alone takes OpenVINO about as
long as swift's.
"""

from __future__ import annotations

import copy
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import subpixel
from subpixel import models
from subpixel.benchmarks.speed import interleaved
from subpixel.evaluation.evaluate import evaluate_folder
from subpixel.metrics.psnr import psnr
from subpixel.nn.arch import Arch, Paper
from subpixel.nn.collapsible import CollapsibleConv
from subpixel.nn.upsampling import nearest_phases

WIDE = 128
"""Channels inside a convolution while it trains."""
LUMA = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
"""RGB to Y, Cb and Cr (BT.601)."""
RGB = torch.linalg.inv(LUMA)
"""And back."""


def conv(inputs: int, outputs: int, kernel: int = 3) -> CollapsibleConv:
    return CollapsibleConv(inputs, outputs, kernel, max(WIDE, outputs), identity=True)


class Branches(nn.Module):
    """A convolution that is the sum of four while it trains: 3x3, 1x3, 3x1 and 1x1 (ACNet, arXiv:1908.03930)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.full = conv(inputs, outputs)
        self.thin = nn.ModuleList(nn.Conv2d(inputs, outputs, k, bias=False) for k in ((1, 3), (3, 1), (1, 1)))
        for branch in self.thin:
            nn.init.zeros_(branch.get_parameter("weight"))

    def kernel(self) -> Tensor:
        weight = self.full.kernel()
        for branch in self.thin:
            own = branch.get_parameter("weight")
            weight = weight + F.pad(own, [(3 - own.shape[3]) // 2] * 2 + [(3 - own.shape[2]) // 2] * 2)
        return weight

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel(), self.full.squeeze.bias, padding=1)

    @torch.no_grad()
    def collapse(self) -> nn.Conv2d:
        conv = self.full.collapse()
        conv.weight.copy_(self.kernel())
        return conv


class Attention(nn.Module):
    """Three convolutions whose result weighs itself and the input, without parameters (SPAN, arXiv:2311.12770)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(conv(channels, channels) for _ in range(3))
        self.acts = nn.ModuleList(nn.PReLU(channels) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.convs
        out = third(self.acts[1](second(self.acts[0](first(x)))))
        return (out + x) * (torch.sigmoid(out) - 0.5)


class Gate(nn.Module):
    """One half of the channels weighs the other (NAFNet's simple gate, arXiv:2204.04676)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand, self.squeeze = conv(channels, channels), conv(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.expand(x).chunk(2, 1)
        return x + self.squeeze(a * b)


class Partial(nn.Module):
    """3x3 on a quarter of the channels, then two 1x1 over all (FasterNet's PConv, arXiv:2303.03667)."""

    def __init__(self, channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.part = channels // 4
        self.spatial = conv(self.part, self.part, kernel)
        self.mix, self.act, self.back = conv(channels, channels, 1), nn.PReLU(channels), conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = torch.cat([self.spatial(x[:, : self.part]), x[:, self.part :]], 1)
        return x + self.back(self.act(self.mix(seen)))


class Blueprint(nn.Module):
    """1x1, then a 3x3 in each channel by itself (BSConv-U, arXiv:2003.13549)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.point = conv(channels, channels, 1)
        self.depth = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.act(self.depth(self.point(x)))


class LumaFirst(nn.Module):
    """A full body for Y, a thin one for the colours, which see RGB; the sum of both is RGB again."""

    def __init__(self, luma: nn.Sequential, colours: nn.Sequential) -> None:
        super().__init__()
        self.luma, self.colours = luma, colours

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("c,nchw->nhw", LUMA[0], x)[:, None]
        chroma = self.colours(x)
        n, _, h, w = chroma.shape
        phases = torch.cat([self.luma(y)[:, None], chroma.view(n, 2, -1, h, w)], 1)
        return torch.einsum("cd,ndphw->ncphw", RGB, phases).flatten(1, 2)


class Unshuffled(nn.Module):
    """A body that works at half of the resolution."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.body(F.pixel_unshuffle(x, 2)), 2)


def prelu_stack(
    inputs: int, channels: int, layers: int, outputs: int, make: Callable[..., nn.Module] = conv
) -> nn.Sequential:
    """Swift's: convolutions, each with a PReLU but the last."""
    modules: list[nn.Module] = []
    for k in range(layers - 1):
        modules += [make(channels if k else inputs, channels), nn.PReLU(channels)]
    return nn.Sequential(*modules, conv(channels, outputs))


def blocks(inputs: int, channels: int, count: int, outputs: int, block: Callable[[int], nn.Module]) -> nn.Sequential:
    """One convolution at each end, `count` blocks between them."""
    return nn.Sequential(conv(inputs, channels), *(block(channels) for _ in range(count)), conv(channels, outputs))


BODIES: dict[str, Callable[[int], nn.Module]] = {
    "plain-32x12": lambda n: prelu_stack(3, 32, 12, 3 * n),
    "wider-48x6": lambda n: prelu_stack(3, 48, 6, 3 * n),
    "branches-32x12": lambda n: prelu_stack(3, 32, 12, 3 * n, Branches),
    "unshuffled-64x13": lambda n: Unshuffled(prelu_stack(12, 64, 13, 12 * n)),
    "luma-first-32x12": lambda n: LumaFirst(prelu_stack(1, 32, 12, n), prelu_stack(3, 16, 4, 2 * n)),
    "attention-32x3": lambda n: blocks(3, 32, 3, 3 * n, Attention),
    "luma-first-attention-32x3": lambda n: LumaFirst(blocks(1, 32, 3, n, Attention), prelu_stack(3, 16, 3, 2 * n)),
    "gate-32x6": lambda n: blocks(3, 32, 6, 3 * n, Gate),
    "partial-64x5": lambda n: blocks(3, 64, 5, 3 * n, Partial),
    "partial-9x9-64x2": lambda n: blocks(3, 64, 2, 3 * n, lambda c: Partial(c, 9)),
    "blueprint-64x6": lambda n: blocks(3, 64, 6, 3 * n, Blueprint),
}
"""By name; each is given the phases of an output pixel, scale * scale."""


@dataclass(frozen=True)
class Config:
    scale: int = 2
    """Upscaling factor."""
    body: str = "plain-32x12"
    """One of `BODIES`."""


class Candidate(Arch[Config]):
    """Swift with another body."""

    paper = Paper("a candidate of subpixel's own", 2026)
    EXAMPLE = Config()
    SCALES = (2,)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.body = BODIES[config.body](config.scale**2)

    @property
    def halo(self) -> int:
        return 48  # of the widest: candidates are compared, not shipped

    def forward(self, x: Tensor) -> Tensor:
        residual = self.body(x - 0.5).float()
        return F.pixel_shuffle(residual + nearest_phases(x, self.config.scale), self.config.scale)

    def deploy(self) -> Self:
        deployed = copy.deepcopy(self).eval()
        _collapse(deployed)
        return deployed


def _collapse(module: nn.Module) -> None:
    """Folds every convolution that is wide while it trains."""
    for name, child in module.named_children():
        if isinstance(child, CollapsibleConv | Branches):
            setattr(module, name, child.collapse())
        else:
            _collapse(child)


def table(bench: Path, runs: Path) -> str:
    """A row for each body: parameters, time relative to swift-x2's, the mean Y-PSNR of each seed on each set."""
    sets = sorted(path for path in bench.iterdir() if path.is_dir())
    files_of = {body: sorted(runs.glob(f"{body}-[0-9]/{body}.onnx")) for body in BODIES}
    files_of = {body: files for body, files in files_of.items() if files}
    times = _times({"swift-x2": "swift-x2"} | {body: str(files[0]) for body, files in files_of.items()})
    lines = [f"| body | parameters | time | {' | '.join(path.name for path in sets)} |", "|---" * (3 + len(sets)) + "|"]
    for body, files in files_of.items():
        cells = [", ".join(f"{_score(file, path):.2f}" for file in files) for path in sets]
        share = times[body] / times["swift-x2"]
        lines.append(f"| {body} | {models.load(files[0]).card.parameters:,} | {share:.2f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _times(named: dict[str, str]) -> dict[str, float]:
    """Median seconds of whole calls on 960x540 pixels, interleaved."""
    image = np.random.default_rng(0).integers(0, 256, (540, 960, 3), np.uint8)
    upscalers = {name: subpixel.Upscaler(model) for name, model in named.items()}
    seconds = interleaved({name: lambda up=up: up(image) for name, up in upscalers.items()}, 7)
    return {name: statistics.median(each) for name, each in seconds.items()}


def _score(file: Path, folder: Path) -> float:
    with subpixel.Upscaler(str(file)) as upscale:
        [mean] = evaluate_folder(upscale, folder, 2, metrics={"psnr": psnr}).means()
    return mean.value


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m zoo.bodies BENCH RUNS")
    print(table(Path(sys.argv[1]), Path(sys.argv[2])))

"""What will be done to one image: the networks with their tiles, and the kernel that does the rest. Made once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from subpixel import archs
from subpixel.deconvolution import REACH, Covariance
from subpixel.inference import tiles
from subpixel.inference.consistency import LimitedRows, Reduction, consistent
from subpixel.inference.deconvolution import DeblurredRows
from subpixel.inference.rows import (
    OPEN,
    UNIT,
    AlphaRows,
    BledRows,
    GrainedRows,
    ResizedRows,
    Rows,
    WithAlpha,
    as_floats,
)
from subpixel.inference.tiled import TiledNetwork, self_ensemble
from subpixel.models import Card
from subpixel.ports import Shape
from subpixel.runtimes import Execution, Runtime

Tile = Literal["auto"] | int
"""The side of a tile in input pixels, 0 for the whole image at once, "auto" for what suits the memory."""

_FEATURES = 512 * 2**20
"""Bytes that the networks of a chain may take for what they compute with, together."""
_DEEP = 2 * 2**30
"""The same, where smaller windows would be hardly more than halo."""
_RESULTS = 128 * 2**20
"""Bytes that a row of tiles may take for its result, in all networks of a chain together."""
_BLEED = 8
"""Pixels that colour bleeds into what is transparent: what bicubic, Lanczos and shallow networks can see."""


@dataclass(frozen=True)
class Step:
    """One network on the way."""

    card: Card
    runtime: Runtime
    tile: tuple[int, int]
    """Height and width in the pixels of its input."""


@dataclass(frozen=True)
class Plan:
    """The steps from one shape to another; `rows` pulls an image through them."""

    source: Shape
    target: Shape
    steps: tuple[Step, ...]
    kernel: str | None
    """Resizes what the networks gave to the target, where that is not reached yet."""
    ensemble: bool = False
    """The mean over 8 flips and turns."""
    idle: bool = False
    """There is a model, but nothing for it to do."""
    grain: tuple[float, float] = (0.0, 0.0)
    """Noise that is given back: of each channel, and of that the part which the channels do not share; in [0, 1]."""
    reason: str = ""
    """What was found in the image, where that decided."""
    consistent: Reduction | None = None
    """The result, reduced so, is the image again."""
    blur: Covariance | None = None
    """What is undone by a filter before the networks."""
    limited: bool = True
    """Floats are clipped to [0, 1] at the end; else they leave it."""
    deep: bool = False
    """The image has more than 8 bits: what is smooth in it stays so."""

    @property
    def networks(self) -> str:
        """For instance "Wiener's filter, then swift-x3, then bicubic"."""
        names = ["Wiener's filter"] if self.blur else []
        names += [step.card.name for step in self.steps] + ([self.kernel] if self.kernel else [])
        return ", then ".join(names) or "unchanged"

    def describe(self) -> str:
        """For instance "swift-x3, then bicubic to 5184x3456; swift-x3: openvino f32 on cpu; tile 512x512"."""
        why = " (a model only enlarges)" if self.idle else ""
        parts = [f"{self.networks} to {self.target.width}x{self.target.height}{why}"]
        runtimes = {step.card.name: step.runtime for step in self.steps}
        parts += ["the shape changes (--fit keeps it)"] if self._is_stretched else []
        parts += [f"{name}: {r.name} {r.precision} on {r.device}" for name, r in runtimes.items()]
        parts += [f"tile {step.tile[1]}x{step.tile[0]}" for step in self.steps]
        parts += ["self-ensemble of 8"] if self.ensemble and self.steps else []
        parts += [f"consistent with the {self.consistent.kernel}"] if self.consistent else []
        return "; ".join([self.reason, *parts] if self.reason else parts)

    @property
    def _is_stretched(self) -> bool:
        """Whether width and height grow differently, by more than the rounding to whole pixels."""
        source, target = self.source, self.target
        across = target.width * source.height - target.height * source.width
        return abs(across) > max(source.width, source.height, target.width, target.height)

    def rows(self, source: Rows) -> Rows:
        """The result for an image of the plan's shape, as rows that are computed when they are pulled."""
        if self.target.dtype == "uint8":
            return self._colour(source)
        rows = self._floats(as_floats(source))
        return LimitedRows(rows) if self.consistent and self.limited else rows

    def _floats(self, floats: Rows) -> Rows:
        if not self.source.alpha:
            return self._colour(floats)
        height, width = self.target.height, self.target.width
        shrink = max(1, -(-self.source.height // height), -(-self.source.width // width))
        alpha = ResizedRows(AlphaRows(floats), height, width, self.kernel or "bicubic")
        return WithAlpha(self._colour(BledRows(floats, shrink * (REACH if self.blur else _BLEED))), alpha)

    def _colour(self, source: Rows) -> Rows:
        limits = UNIT if self.limited and not self.consistent else OPEN
        rows = DeblurredRows(source, self.blur, UNIT if self.limited else OPEN) if self.blur else source
        for step in self.steps:
            run = self_ensemble(step.runtime.run) if self.ensemble else step.runtime.run
            ours = step.card.arch in archs.NAMES  # another program's network gives what it gives there
            smooth = ours and self.deep
            rows = TiledNetwork(rows, run, step.card.ports, step.card.geometry, step.tile, None, ours, limits, smooth)
        if self.kernel:
            rows = ResizedRows(rows, self.target.height, self.target.width, self.kernel, limits)
        rows = consistent(rows, source, self.consistent) if self.consistent else rows
        return GrainedRows(rows, self.source, *self.grain) if self.grain[0] else rows


def exact_enough(execution: Execution, source: Shape) -> Execution:
    """How an image is computed: `auto` is f32 for 16 bits and floats, whose smooth gradients get steps in bf16."""
    fine = execution.precision == "auto" and source.dtype != "uint8"
    return replace(execution, precision="f32") if fine else execution


def target_shape(
    source: Shape, sides: tuple[int, int], cards: Sequence[Card], kernel: str | None, in_floats: bool
) -> Shape:
    """What comes out: 8-bit levels where one plain network does all the work on them, else floats."""
    on_levels = source.dtype == "uint8" and not source.alpha and not in_floats and len(cards) == 1 and kernel is None
    on_levels = on_levels and cards[0].ports.is_plain and cards[0].ports.inputs[0].depth == source.channels
    return Shape(*sides, source.channels, source.alpha, "uint8" if on_levels else "float32")


def tile_of(card: Card, asked: Tile, height: int, width: int, networks: int) -> tuple[int, int]:
    """The tile (height, width) for an input of height x width, in a chain of so many networks."""
    halo = card.halo
    if card.fixed_size:
        largest = card.fixed_size - 2 * halo
        side = largest if asked == "auto" else min(asked or largest, largest)
        return side, side
    if asked != "auto":
        return asked or height, asked or width
    usual, most = (size // networks // tiles.footprint(card.widest, card.scale) for size in (_FEATURES, _DEEP))
    pixels = min(max(usual, (6 * halo) ** 2), most)  # four halos of result in a window of six
    rows = _RESULTS // networks // (3 * 4 * card.scale**2 * width)
    return tiles.automatic(height, width, halo, pixels, rows)


def inputs_of(cards: Sequence[Card], height: int, width: int) -> list[tuple[int, int]]:
    """Height and width of what each network of a chain is given."""
    factors = [math.prod(card.scale for card in cards[:k]) for k in range(len(cards))]
    return [(height * factor, width * factor) for factor in factors]

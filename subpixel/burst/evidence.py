"""What a burst is worth: one frame is kept aside, and predicted from the others and from one enlarged frame alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.burst.alignment import Aligned
from subpixel.burst.tiles import Scene, Tile
from subpixel.images import Floats

Kind = Literal["detail", "noise", "cleaned", "single"]
"""Detail from between the pixels, noise that averages out, the reference without it, or nothing: one does as well."""

ALIASES = 0.7
"""The PSF in pixels below which frames alias: it passes 9 % of the contrast at their highest frequency."""
_APART = 0.1
"""Pixels by which frames must lie beside each other's pixels to hold anything from between them."""
_WORTH = 0.2
"""Decibels from which on the fusion is believed to gain."""
_SIDE = 192  # fine pixels along a window
_WINDOWS = 3


@dataclass(frozen=True)
class Report:
    """How an image was made of a burst.

    psf: standard deviation in pixels of a frame; noise: in levels of 0..255; gain: decibels by which the pixels of a
    frame that was kept aside are predicted better by the others than by one, None where there are too few frames.
    """

    kind: Kind
    reference: str
    used: int
    left_out: tuple[tuple[str, str], ...] = ()
    """Frames and why, each with its name."""
    psf: float = 0.0
    noise: float = 0.0
    gain: float | None = None
    wobble: float = 0.0
    """Root mean square in pixels of what a rolling shutter adds to the motion, of the frame with most."""
    sway: float = 0.0
    """The same of what places do by themselves, as in water or hot air."""
    moved: float = 0.0
    """The mean share of a frame that moves by itself."""
    coarse: int | None = None
    """The quality of a JPEG that left nothing to fuse."""

    @property
    def summary(self) -> str:
        """One line: which case it is, and why."""
        total = self.used + len(self.left_out)
        parts = [f"{self.used} of {total} frames on {self.reference}", self._said_kind()]
        parts += [f"{name}: {why}" for name, why in self.left_out]
        parts += [f"a rolling shutter of {self.wobble:.1f} px"] * (self.wobble > 0)
        parts += [f"places sway by {self.sway:.1f} px"] * (self.sway > 0)
        parts += [f"{self.moved:.0%} moves by itself, or seems to"] * (self.moved >= 0.005)
        return "; ".join(parts)

    def _said_kind(self) -> str:
        if self.used == 1:
            return "nothing to fuse it with: that one enlarged"
        if self.coarse is not None:
            return f"JPEG of quality {self.coarse} left no detail to fuse: that one enlarged"
        measured = f"blur {self.psf:.2f} px, noise {self.noise:.1f} levels"
        gain = "unchecked, for there are too few" if self.gain is None else f"{self.gain:+.1f} dB on a frame kept aside"
        return {
            "detail": f"they alias ({measured}): detail from between the pixels, {gain}",
            "noise": f"{self._said_why()} ({measured}): noise averaged and blur undone, {gain}",
            "cleaned": f"at their own size ({measured}): noise averaged, the blur stays, {gain}",
            "single": f"nothing gained over one ({measured}), {gain}: that one enlarged",
        }[self.kind]

    def _said_why(self) -> str:
        if self.psf >= ALIASES:
            return "the lens left nothing between the pixels"
        return "they moved by whole pixels or not at all"


def assess(scene: Scene, reference: str, left_out: tuple[tuple[str, str], ...]) -> Report:
    """What a scene's frames are worth, measured in its most detailed windows."""
    others = scene.frames[1:]
    gain = _prediction_gain(scene) if len(others) >= 2 else None
    kind: Kind = "detail" if scene.psf < ALIASES and _apart(others) > _APART else "noise"
    if not others or (gain is not None and gain < _WORTH):
        kind = "single"
    return Report(
        kind,
        reference,
        len(scene.frames),
        left_out,
        scene.psf,
        scene.noise * 255,
        gain,
        max((each.registered.wobble for each in others if not each.registered.sways), default=0.0),
        max((each.registered.wobble for each in others if each.registered.sways), default=0.0),
        float(np.mean([each.moved.mean() for each in others])) if others else 0.0,
    )


def _apart(others: Sequence[Aligned]) -> float:
    """The largest distance of pixels' places from the reference's pixels, along either axis."""
    places = [place for each in others for place in each.motion(*_corners(each.moved.shape))]
    return float(np.abs(np.array(places) - np.rint(places)).max()) if places else 0.0


def _corners(shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    bottom, right = shape[0] - 1.0, shape[1] - 1.0
    return np.array([0, right, 0, right, right // 2]), np.array([0, 0, bottom, bottom, bottom // 2])


def _prediction_gain(scene: Scene) -> float:
    """Decibels by which the frame with the least noise is predicted better by the others than by the enlarged first."""
    aside = min(reversed(scene.frames[1:]), key=lambda each: each.noise)
    rest = tuple(each for each in scene.frames if each is not aside)
    alone, fused, count = 0.0, 0.0, 0
    for tile in _windows(scene, aside):
        prior = scene.prior_of(tile)
        left = scene.unexplained(tile, prior, aside)
        alone += float((left**2).sum())
        fused += float((scene.unexplained(tile, scene.solved(tile, prior, rest)[0], aside) ** 2).sum())
        count += left.size
    noise = min(scene.noise**2 * count, 0.9 * min(alone, fused))
    return 10 * math.log10((alone - noise) / (fused - noise)) if count else 0.0


def _windows(scene: Scene, aside: Aligned) -> list[Tile]:
    """The windows in which the first frame has most detail, and the one that is kept aside did not move."""
    height, width = scene.prior.shape.height, scene.prior.shape.width
    side = min(_SIDE, height, width)
    corners = [
        (y, x) for y in _evenly(height, side) for x in _evenly(width, side) if _unmoved(aside, y, x, side, scene.scale)
    ]
    busiest = sorted(corners, key=lambda at: -_detail(scene.frames[0].frame.levels, *at, side, scene.scale))
    return [Tile(y, x, side, side, scene.margin) for y, x in busiest[:_WINDOWS]]


def _evenly(length: int, side: int) -> list[int]:
    return sorted({int(at) for at in np.linspace(0, length - side, min(12, math.ceil(length / side)))})


def _unmoved(aside: Aligned, y: int, x: int, side: int, scale: float) -> bool:
    return float(aside.moved[_part(y, side, scale), _part(x, side, scale)].mean()) < 0.5


def _detail(levels: Floats, y: int, x: int, side: int, scale: float) -> float:
    part = levels[_part(y, side, scale), _part(x, side, scale)].astype(np.float32)
    return float(sum((slope**2).mean() for slope in np.gradient(part, axis=(0, 1))))


def _part(start: int, side: int, scale: float) -> slice:
    return slice(int(start / scale), max(int(start / scale) + 2, int((start + side) / scale)))

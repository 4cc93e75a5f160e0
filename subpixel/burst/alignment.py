"""Which frames fit the reference and how: their motion, their exposure, and what moved by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.burst.frames import VARIED, WHITE, Frame, box, noise_of, sharpness
from subpixel.burst.motion import Motion, Points, inside, sample
from subpixel.burst.registration import Registered, low_pass, register
from subpixel.color import FORWARD
from subpixel.images import Floats, dequantise

ANOTHER_SCENE, ANOTHER_PART = "it shows something else", "it shows another part"
"""Why a frame is left out that may be like others, though not like the reference."""
LEAST_NOISE = 0.7 / 255
"""What rounding to levels and compression leave even where no noise is seen."""
_FITS = 0.8
"""The least correlation of a frame with the reference."""
_COVERS = 0.5
"""The least share of the reference that a frame must show, unmoved."""
_SHARP = 0.6
"""The least sharpness, relative to the reference."""
_FLAT, _GRAINY = 0.3 / 255, 0.1
"""The deviation of a low-passed frame that rounding may have made; that of noise beyond which it is itself a scene."""
_AS_SHARP, _AS_CLEAN = 0.93, 1.25
_EXPOSED = 0.02
"""Ratios nearer to 1 are what aliasing makes of equal exposures."""
_UNEVEN, _CUT_OFF = 0.1, 0.001
"""Exposures so different that one is cut off where the other is not; of a frame, how much so that it draws edges."""
_EXPLAINED, _ROUNDS = 0.8, 4
"""Of what a gain alone leaves, what an offset beside it must leave at most; and how often what fits is chosen anew."""
_TELLING = 400
"""Pixels below it, without white ones, that tell the exposure."""
_LEFT = 0.367
"""Of white noise, the deviation of the difference of two low-passed frames, one of them interpolated."""
_NEAR, _ALIKE = 4, 13
"""Pixels around one that are thought to move with it; those that share the noise of a low-passed one."""
_OFF, _SWAY, _CHANCE = 0.12, 0.5, 12
"""Pixels beyond which a place is wrong, by which it may be; and what chance explains at most, in variances of noise."""
_LUMA = float(np.hypot.reduce(FORWARD[0]))
"""The deviation of the luma where those of R, G and B are 1."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """A frame that fits.

    gain, offset: (C,) what its values are multiplied by, and what is added, to be exposed as the reference. moved:
    (H, W), what is not where the motion puts it. noise: standard deviation of a pixel in [0, 1], as exposed as the
    reference, half of whose variance is in it.
    """

    frame: Frame
    registered: Registered
    gain: Floats
    offset: Floats
    moved: NDArray[np.bool_]
    noise: float

    @property
    def motion(self) -> Motion:
        """From the reference's pixels to the frame's."""
        return self.registered.motion

    def tells(self, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """Which of its pixels there are where the motion puts them, and not cut off by a longer exposure."""
        still = ~self.moved[rows, columns]
        return still & ~_is_white(self.frame.levels[rows, columns]) if self.gain.min() < 1 else still


def sharpest(frames: Sequence[Frame], lumas: Sequence[Floats]) -> int:
    """Which of the frames the others are laid on.

    The first of those about as clean as the cleanest of those about as sharp as the sharpest.
    """
    noises = [noise_of(*each) for each in zip(frames, lumas, strict=True)]
    sharps = [sharpness(low_pass(luma), noise) for luma, noise in zip(lumas, noises, strict=True)]
    sharp = [k for k, each in enumerate(sharps) if each >= _AS_SHARP * max(sharps)]
    clean = _AS_CLEAN * max(1 / 255, min(noises[k] for k in sharp))
    return next(k for k in sharp if noises[k] <= clean)


def still(frame: Frame, others: Sequence[Aligned]) -> Aligned:
    """The reference itself; it has no more noise than the best of the others shows together with it."""
    height, width, channels = frame.levels.shape
    alike, unmoved = np.ones(channels, np.float32), np.zeros((height, width), bool)
    noise = min((each.noise for each in others), default=LEAST_NOISE)
    return Aligned(frame, Registered(Motion(), 1.0), alike, 0 * alike, unmoved, noise)


def align(frame: Frame, luma: Floats, reference: Frame, reference_luma: Floats) -> Aligned | str:
    """A frame laid on the reference, or why it does not fit."""
    noise, its_noise = noise_of(frame, luma), noise_of(reference, reference_luma)
    soft, target = low_pass(luma), low_pass(reference_luma)
    if _is_flat(soft, noise) or _is_flat(target, its_noise):
        return "it is flat, or the reference is: nothing shows how they lie"
    registered, luma, reference_luma = _registered(frame, luma, reference, reference_luma)
    if registered.correlation < _FITS:
        return ANOTHER_SCENE
    if sharpness(soft, noise) < _SHARP * sharpness(target, its_noise):
        return "it is blurred"
    soft, target = low_pass(luma), low_pass(reference_luma)
    places = registered.motion(*_pixels(luma.shape))
    covered = inside(luma.shape, *places, 1)
    if covered.mean() < _COVERS:
        return ANOTHER_PART
    gain, offset = _exposures(frame, reference, registered.motion)
    if gain.min() < 1:
        covered &= ~_is_white(frame.levels)
    if covered.mean() < _COVERS:
        return "it is overexposed"
    seen = sample(target, *places)
    ratio, more = _exposure(seen[covered], soft[covered])
    signed = np.where(covered, soft * ratio + more - seen, 0)
    down, across = np.gradient(seen)
    difference, steep = np.abs(signed), box(np.hypot(down, across), 2)
    lit = covered & ~frame.clipped & (sample(reference.clipped.astype(np.float32), *places) == 0)
    whole = box((~lit).astype(np.float32), 2) < 1e-6
    lit = lit if lit.sum() >= _TELLING else covered
    flat = lit & (steep <= max(np.median(steep[covered]), np.quantile(steep[lit], 0.25)))
    deviation = max(1.4826 * float(np.median(difference[flat])), 2e-4)
    moved = _moved(difference, steep, deviation) | _misplaced(signed * whole, down, across, deviation)
    if (covered & ~moved).mean() < _COVERS:
        return "too much of it moved"
    noise = deviation / _LEFT / (_LUMA if len(gain) == 3 else 1)
    return Aligned(frame, registered, gain, offset, moved, max(LEAST_NOISE, noise))


def _registered(
    frame: Frame, luma: Floats, reference: Frame, reference_luma: Floats
) -> tuple[Registered, Floats, Floats]:
    """How a frame lies on the reference, and the lumas of both by which it does.

    Where one is longer exposed, its white draws edges that the other lacks: then each colour of both is cut off there.
    """
    first = register(luma, reference_luma)
    gain, _ = _exposures(frame, reference, first.motion)
    ours, theirs = dequantise(frame.levels), dequantise(reference.levels)
    cut_off = (gain < 1 - _UNEVEN) & (ours >= WHITE) | (gain > 1 + _UNEVEN) & (theirs >= WHITE)
    if cut_off.any(axis=2).mean() < _CUT_OFF:
        return first, luma, reference_luma
    white, weights = WHITE * np.minimum(gain, 1), FORWARD[0] if len(gain) == 3 else np.ones(1)
    cut, its_cut = (
        (np.minimum(each, most) @ weights).astype(np.float32) for each, most in ((ours, white / gain), (theirs, white))
    )
    return register(cut, its_cut), cut, its_cut


def _pixels(shape: tuple[int, ...], step: int = 1) -> Points:
    """Columns and rows of every pixel, or of some."""
    y, x = np.mgrid[0 : shape[0] : step, 0 : shape[1] : step].astype(np.float32)
    return x, y


def _is_flat(soft: Floats, noise: float) -> bool:
    """Whether a low-passed plane shows hardly more than the white noise in it or rounding does."""
    return float(soft.var()) < max(_FLAT**2, 2 * VARIED * min(noise, _GRAINY) ** 2)


def _exposures(frame: Frame, reference: Frame, motion: Motion) -> tuple[Floats, Floats]:
    """(C,) and (C,): the gain and the offset that even the exposures out."""
    step = 4 if frame.levels.size > 2**20 else 1
    x, y = (place.ravel().astype(int) for place in _pixels(frame.levels.shape, step))
    u, v = (np.rint(place).astype(int) for place in motion(x, y))
    both = inside(frame.levels.shape[:2], u, v)
    ours, theirs = dequantise(frame.levels[y[both], x[both]]), dequantise(reference.levels[v[both], u[both]])
    fits = np.array([_exposure(a, b) for a, b in zip(theirs.T, ours.T, strict=True)], np.float32)
    gain, offset = np.ascontiguousarray(fits.T)
    alike = np.abs(gain - 1).max() <= _EXPOSED and not offset.any()
    return (np.ones_like(gain), offset) if alike else (gain, offset)


def _is_white(levels: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W, C) -> (H, W): where a colour is cut off."""
    return dequantise(levels).max(axis=2) >= WHITE


def _exposure(theirs: Floats, ours: Floats) -> tuple[float, float]:
    """The gain and offset that lay ours on theirs: of deviations and means; a gain alone where that leaves no more."""
    ratio = _ratio(theirs, ours)
    shown = (theirs < WHITE) & (ours < WHITE) & (theirs > 0) & (ours > 0)
    if shown.sum() < _TELLING:
        return ratio, 0.0
    theirs, ours = theirs[shown], ours[shown]
    fits, left, gain, offset = np.ones(theirs.shape, bool), theirs, ratio, 0.0
    for _ in range(_ROUNDS):
        gain = float(theirs[fits].std() / max(float(ours[fits].std()), 1e-6))
        offset = float(theirs[fits].mean() - gain * ours[fits].mean())
        left = np.abs(theirs - gain * ours - offset)
        fits = left <= 4 * np.median(left) + 1e-6
    plain = float(np.median(np.abs(theirs - ratio * ours)))
    return (gain, offset) if float(np.median(left)) < _EXPLAINED * plain else (ratio, 0.0)


def _ratio(theirs: Floats, ours: Floats) -> float:
    """The ratio of the sums of what fits the median ratio of the brighter half: what moved or is white counts not."""
    shown = (theirs < WHITE) & (ours < WHITE)
    if shown.sum() >= _TELLING:
        theirs, ours = theirs[shown], ours[shown]
    both = theirs + ours
    bright = (both >= np.median(both)) & (ours > 0)
    if not bright.any():
        return 1.0
    left = np.abs(theirs - np.median(theirs[bright] / ours[bright]) * ours)
    fits = left <= 4 * np.median(left) + 1e-6
    return float(theirs[fits].sum(dtype=np.float64) / max(float(ours[fits].sum(dtype=np.float64)), 1e-9))


def _moved(difference: Floats, steep: Floats, deviation: float) -> NDArray[np.bool_]:
    """Where frames differ by more than noise, aliasing and a slightly wrong place explain; with a rim of two pixels."""
    odd = box(difference, 2) > 3 * deviation + 0.35 * steep
    return box(odd.astype(np.float32), 2) > 0.2


def _misplaced(difference: Floats, down: Floats, across: Floats, deviation: float) -> NDArray[np.bool_]:
    """Where a shift, of 9 x 9 pixels by themselves, explains more than noise does, and is too long for aliasing."""
    yy, xy, xx = (box(product, _NEAR) for product in (down * down, down * across, across * across))
    by, bx = (box(slope * difference, _NEAR) for slope in (down, across))
    sure = _ALIKE * deviation**2 / (2 * _NEAR + 1) ** 2
    yy, xx = yy + sure / _SWAY**2, xx + sure / _SWAY**2
    determinant = xx * yy - xy * xy
    right, below = (yy * bx - xy * by) / determinant, (xx * by - xy * bx) / determinant
    odd = (right * bx + below * by > _CHANCE * sure) & (np.hypot(right, below) > _OFF)
    return box(odd.astype(np.float32), 2) > 0.2

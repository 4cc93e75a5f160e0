"""Frames laid on one of them: which one that is, and which of the others do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from subpixel.burst.alignment import ANOTHER_PART, ANOTHER_SCENE, Aligned, align, sharpest, still
from subpixel.burst.frames import Frame
from subpixel.burst.registration import similarity, small
from subpixel.images import Floats

_LIKE = 0.4
"""The least similarity of two frames of one scene. Frames turned by 3 degrees reach 0.64, other scenes 0.28."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames laid on the first of them; and those that do not fit it, by their place in the burst, each with why."""

    frames: tuple[Aligned, ...]
    left_out: dict[int, str]


def stack_frames(frames: Sequence[Frame], reference: int | None, on_progress: Callable[[str], object] | None) -> Stack:
    """Lays frames on one of them: on `reference`, or where that is None on the sharpest of those that agree.

    That is the sharpest of all, unless more frames than fit it show one other scene: then the sharpest of these.
    """
    lumas = [frame.luma() for frame in frames]
    stack = _laid(frames, lumas, sharpest(frames, lumas) if reference is None else reference, on_progress)
    strange = [k for k, why in stack.left_out.items() if why in (ANOTHER_SCENE, ANOTHER_PART)]
    if reference is None and len(strange) > len(stack.frames):
        group = _largest_group(lumas, strange)
        if len(group) > len(stack.frames):
            chosen = group[sharpest([frames[k] for k in group], [lumas[k] for k in group])]
            return max(stack, _laid(frames, lumas, chosen, on_progress), key=lambda each: len(each.frames))
    return stack


def _laid(
    frames: Sequence[Frame], lumas: Sequence[Floats], chosen: int, on_progress: Callable[[str], object] | None
) -> Stack:
    base, fitting, left_out = frames[chosen], list[Aligned](), dict[int, str]()
    for k, frame in enumerate(frames):
        if k != chosen:
            if on_progress:
                on_progress(frame.name)
            aligned = align(frame, lumas[k], base, lumas[chosen])
            if isinstance(aligned, Aligned):
                fitting.append(aligned)
            else:
                left_out[k] = aligned
    return Stack((still(base, fitting), *fitting), left_out)


def _largest_group(lumas: Sequence[Floats], among: Sequence[int]) -> list[int]:
    """Those of the frames that are like one of them, of which most are: by small copies, which takes milliseconds."""
    copies = {k: small(lumas[k]) for k in among}
    largest = list[int]()
    while len(copies) > len(largest):
        first = next(iter(copies.values()))
        group = [k for k, copy in copies.items() if copy is first or similarity(copy, first) >= _LIKE]
        copies = {k: copy for k, copy in copies.items() if k not in group}
        largest = max(largest, group, key=len)
    return largest

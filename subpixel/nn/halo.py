"""The exact halo of a chain of layers: which low-resolution pixels an output pixel can see.

A step turns the first and last pixel that are needed of a layer's output into those of its input.
The halo follows from the s output pixels of one low-resolution pixel, walked back through the steps.
"""

from __future__ import annotations

from collections.abc import Callable

from subpixel.nn.scales import stages

Step = Callable[[int, int], tuple[int, int]]


def halo(scale: int, *steps: Step) -> int:
    """Low-resolution pixels on each side that the outputs of one pixel read; steps from input to output."""
    first, last = 0, scale - 1
    for step in reversed(steps):
        first, last = step(first, last)
    return max(-first, last)


def convolution(radius: int) -> Step:
    """Convolutions whose radii sum to `radius`, on one grid."""
    return lambda first, last: (first - radius, last + radius)


def shuffle(scale: int) -> Step:
    """The periodic shuffle of a sub-pixel convolution."""
    return lambda first, last: (first // scale, last // scale)


def transposed(kernel: int, stride: int, padding: int) -> Step:
    """A transposed convolution: output o reads the inputs i with 0 <= o + padding - stride i < kernel."""
    return lambda first, last: (-((kernel - 1 - padding - first) // stride), (last + padding) // stride)


def bicubic(scale: int) -> Step:
    """Bicubic enlargement: two pixels on each side of a position, that one pixel alone at its centre."""

    def reads(pixel: int) -> tuple[int, int]:
        left, offset = divmod(2 * pixel + 1 - scale, 2 * scale)
        return (left - 1, left + 2) if offset else (left, left)

    def step(first: int, last: int) -> tuple[int, int]:
        ranges = [reads(pixel) for pixel in range(first, last + 1)]
        return min(first for first, _ in ranges), max(last for _, last in ranges)

    return step


def subpixel(scale: int) -> list[Step]:
    """The stages of 3x3 sub-pixel convolutions that reach a scale."""
    return [step for factor in stages(scale) for step in (convolution(1), shuffle(factor))]

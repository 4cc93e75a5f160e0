"""The numbers that a conditioned network is told of an image: their names, and the range that they are trained in."""

from __future__ import annotations

CONDITION = (
    "jpeg", "noise", "chroma_noise", "shot", "blur_xx", "blur_yy", "blur_xy", "resampled", "noise_unknown",
    "jpeg_unknown", "blur_unknown",
)  # fmt: skip
"""Its numbers in their order, all 0 for a clean image.

jpeg: (100 - quality) / 75. noise, chroma_noise: standard deviation of a channel at mid-gray, in levels / 25, of all its
noise and of that part which differs from channel to channel. shot: the share of the variance at mid-gray that grows
with brightness. blur: px^2, x to the right and y up. resampled: 1 - the smallest size on the way, relative to the
present one. Then 1 for each group that is unknown; its numbers are 0.
"""
WORST_QUALITY, MOST_NOISE, MOST_BLUR = 20, 25.0, 2.0
"""The range that networks are trained in: of JPEG; levels; px^2 along an axis.

What is stronger is told as the strongest, a wider blur as one of its shape.
"""

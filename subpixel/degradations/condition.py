"""What a conditioned network is told of an image: the labels of its degradation, scaled to about 0..1."""

from __future__ import annotations

import numpy as np

from subpixel.condition import MOST_BLUR, MOST_NOISE, WORST_QUALITY
from subpixel.degradations.degradation import Floats, Rng
from subpixel.degradations.labels import LABELS
from subpixel.degradations.noise import CHROMA, LUMA

_INDEX = {name: k for k, name in enumerate(LABELS)}
_GROUPS = (
    ("noise_luma", "noise_chroma", "noise_shot"),
    ("jpeg_quality",),
    ("blur_xx", "blur_yy", "blur_xy", "resampling_loss"),
)
"""What is known or unknown together, in the order of the flags."""


def condition(labels: Floats) -> Floats:
    """N labels in the order of LABELS, NaN where unknown -> N numbers in the order of CONDITION."""
    unknown = np.stack([np.isnan(labels[:, _INDEX[group[0]]]) for group in _GROUPS], axis=1)
    value = {name: np.nan_to_num(labels[:, k]) for name, k in _INDEX.items()}
    own = value["noise_chroma"] ** 2 / CHROMA  # variance that differs from channel to channel
    variance = np.maximum(value["noise_luma"] ** 2 - LUMA * own, 0) + own
    shrink = np.minimum(1, MOST_BLUR / np.maximum(np.maximum(value["blur_xx"], value["blur_yy"]), 1e-9))
    middle = 255 / MOST_NOISE * np.sqrt(1 - value["noise_shot"] / 2)
    numbers = (
        np.where(unknown[:, 1], 0, (100 - np.maximum(value["jpeg_quality"], WORST_QUALITY)) / 75),
        np.minimum(np.sqrt(variance) * middle, 1),
        np.minimum(np.sqrt(own) * middle, 1),
        value["noise_shot"] / (2 - value["noise_shot"]),
        *(value[name] * shrink for name in ("blur_xx", "blur_yy", "blur_xy")),
        value["resampling_loss"],
    )
    return np.concatenate([np.stack(numbers, axis=1), unknown], axis=1).astype(np.float32)


def estimated(labels: Floats, rng: Rng, deviation: float, dropout: float, missed: float = 0.0) -> Floats:
    """Labels as an estimator may give them: off by up to `deviation` of themselves; a group unknown (NaN) by chance.

    missed: how often a group is given as that of an image that was not degraded. A network that is trained on them
    has met wrong numbers before, and images of which nothing is known.
    """
    labels = labels.copy()
    everything = rng.random(len(labels)) < dropout / 2
    for group in _GROUPS:
        columns = [_INDEX[name] for name in group]
        factor = 1 + deviation * rng.uniform(-1, 1, (len(labels), 1))
        neutral = np.array([LABELS[name] for name in group])
        factor[rng.random(len(labels)) < missed] = 0
        labels[:, columns] = neutral + (labels[:, columns] - neutral) * factor
        unknown = everything | (rng.random(len(labels)) < dropout)
        labels[:, columns] = np.where(unknown[:, None], np.nan, labels[:, columns])
    return labels

"""The batches of a run: each depends on the seed, the step and the process alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from subpixel.datasets.patches import PatchSource, prefetch
from subpixel.datasets.sample import Arrays, Sample
from subpixel.degradations.condition import condition, estimated
from subpixel.training import processes
from subpixel.training.recipe import Recipe


def batches(
    recipe: Recipe, sources: Mapping[int, PatchSource], first: int, device: str, conditioned: bool = False
) -> Iterator[tuple[int, Sample[Tensor]]]:
    """The scale and the batch of each step from `first` to the recipe's last; see `to_tensors`.

    Prepared in threads while the network works. conditioned: the labels become what a conditioned network is told.
    """

    def make(step: int) -> tuple[int, Arrays]:
        scale = recipe.scales[int(np.random.default_rng([recipe.seed, step]).integers(len(recipe.scales)))]
        rng = np.random.default_rng([recipe.seed, step, processes.rank()])
        arrays = sources[scale].batch(rng, recipe.data.batch, recipe.data.patch)
        if conditioned and arrays.labels is not None:
            data = recipe.data
            labels = estimated(arrays.labels, rng, data.label_noise, data.label_dropout, data.label_missed)
            arrays = replace(arrays, labels=condition(labels))
        return scale, arrays

    for scale, arrays in prefetch(make, range(first, recipe.steps)):
        yield scale, to_tensors(arrays, device)


def to_tensors(arrays: Arrays, device: str) -> Sample[Tensor]:
    """Levels N C P P and N C sP sP -> float32 in [0, 1] on the device, low channels last; labels as they are."""
    low, high = (
        torch.from_numpy(levels).to(device).to(torch.float32).div_(np.iinfo(levels.dtype).max)
        for levels in (arrays.low, arrays.high)
    )
    labels = None if arrays.labels is None else torch.from_numpy(arrays.labels).to(device)
    return Sample(low.contiguous(memory_format=torch.channels_last), high, labels)

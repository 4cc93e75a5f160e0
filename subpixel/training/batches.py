"""The batches of a run: each depends on the seed, the step and the process alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from subpixel.datasets.packed import Pixels
from subpixel.datasets.patches import PatchSource, prefetch
from subpixel.training import processes
from subpixel.training.recipe import Recipe


def batches(
    recipe: Recipe, sources: Mapping[int, PatchSource], first: int, device: str
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """From step `first` to the recipe's last: the scale, and RGB in [0, 1] N 3 P P and N 3 sP sP.

    Prepared in threads while the network works.
    """

    def make(step: int) -> tuple[int, tuple[Pixels, Pixels]]:
        scale = recipe.scales[int(np.random.default_rng([recipe.seed, step]).integers(len(recipe.scales)))]
        rng = np.random.default_rng([recipe.seed, step, processes.rank()])
        return scale, sources[scale].batch(rng, recipe.data.batch, recipe.data.patch)

    for scale, pixels in prefetch(make, range(first, recipe.steps)):
        low, high = (torch.from_numpy(a).to(device, torch.float32).div_(255) for a in pixels)
        yield scale, low.contiguous(memory_format=torch.channels_last), high

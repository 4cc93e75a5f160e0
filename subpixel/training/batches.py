"""The batches of a run: each depends on the seed, the step and the process alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from subpixel.datasets.packed import Pixels
from subpixel.training import processes
from subpixel.training.recipe import Recipe


class Crops(Protocol):
    """Where random crops come from."""

    def check(self, patch: int) -> None: ...

    def batch(self, rng: np.random.Generator, size: int, patch: int) -> tuple[Pixels, Pixels]: ...


def batches(
    recipe: Recipe, crops: Mapping[int, Crops], first: int, device: str
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """From step `first` to the recipe's last: the scale, and RGB in [0, 1] N 3 P P and N 3 sP sP."""
    for step in range(first, recipe.steps):
        scale = recipe.scales[int(np.random.default_rng([recipe.seed, step]).integers(len(recipe.scales)))]
        rng = np.random.default_rng([recipe.seed, step, processes.rank()])
        low, high = crops[scale].batch(rng, recipe.data.batch, recipe.data.patch)
        x, y = (torch.from_numpy(a).to(device, torch.float32).div_(255) for a in (low, high))
        yield scale, x.contiguous(memory_format=torch.channels_last), y

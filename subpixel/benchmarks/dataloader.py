"""How much of the step rate that synthetic tensors reach a training keeps when its crops come from images."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count, repeat

import numpy as np
import torch
import torch.nn.functional as F

from subpixel import archs
from subpixel.datasets.patches import THREADS, PatchSource, prefetch
from subpixel.datasets.sample import Arrays
from subpixel.training.batches import to_tensors
from subpixel.training.processes import check_device

Step = Callable[[Arrays], object]


@dataclass(frozen=True)
class Reading:
    """Medians over the rounds."""

    name: str
    seconds: float
    """A step with batches from the reader."""
    synthetic: float
    """The same step with one batch that is already in memory."""
    share: float
    """Of the synthetic step rate; 1 where reading costs nothing."""
    waiting: float
    """Share of the time in which the step waits for its batch."""


def reading(
    name: str,
    source: PatchSource,
    step: Step,
    *,
    size: int = 16,
    patch: int = 32,
    rounds: int = 9,
    steps: int = 10,
    threads: int = THREADS,
) -> Reading:
    """Times a step with the reader's batches and with one batch already in memory, in turn.

    size, patch: crops in a batch and their low-resolution side. steps: timed in each of the rounds. threads: the
    reader's.
    Raises: DataError for images smaller than the patch.
    """

    def batch(k: int) -> Arrays:
        return source.batch(np.random.default_rng([0, k]), size, patch)

    source.check(patch)
    with closing(prefetch(batch, count(), threads)) as batches:
        streams: dict[str, Iterator[Arrays]] = {"read": batches, "synthetic": repeat(batch(0))}
        times: dict[str, list[tuple[float, float]]] = {key: [] for key in streams}
        for key in [*streams] * (rounds + 1):
            times[key].append(_seconds(streams[key], step, steps, threads))
    read, synthetic = times["read"][1:], times["synthetic"][1:]  # the first round warms up
    share = statistics.median(b / a for (a, _), (b, _) in zip(read, synthetic, strict=True))
    waiting = statistics.median(waited / whole for whole, waited in read)
    whole, ready = (statistics.median(seconds for seconds, _ in each) for each in (read, synthetic))
    return Reading(name, whole, ready, share, waiting)


def training_step(scale: int, device: str = "cpu") -> Step:
    """From uint8 crops to new weights, as a training does it: a swift of 12 layers and 32 channels, in bf16.

    Raises: as `check_device`.
    """
    check_device(device)
    network = archs.create("swift", {"scale": scale, "channels": 32, "layers": 12})
    network = network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step(batch: Arrays) -> float:
        sample = to_tensors(batch, device)
        with torch.autocast(device, torch.bfloat16):
            output = network(sample.low)
        loss = F.l1_loss(output, sample.high)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()  # waits for the device

    return step


def _seconds(batches: Iterator[Arrays], step: Step, steps: int, ready: int) -> tuple[float, float]:
    """Of a step, and those of them in which it waits for its batch."""
    for _ in range(ready):  # those that were prepared while the other source was timed
        step(next(batches))
    start, waited = time.perf_counter(), 0.0
    for _ in range(steps):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        step(batch)
    return (time.perf_counter() - start) / steps, waited / steps

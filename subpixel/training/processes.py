"""Several processes on one training, started by torchrun: each takes its own crops, the gradients are averaged."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from subpixel.errors import BadRequest, RuntimeUnavailable


def rank() -> int:
    """The number of this process; the first, 0, validates, logs and writes."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def check_device(device: str) -> None:
    """Raises: BadRequest for a device that nobody trains on; RuntimeUnavailable for one that is not here."""
    if device not in ("cpu", "cuda"):
        raise BadRequest(f"device {device!r}; expected cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeUnavailable("torch sees no CUDA device here; use --device cpu")


def local_device(device: str) -> str:
    """The device of this process: its own GPU where there are several."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


@contextmanager
def process_group(device: str) -> Generator[None]:
    """Joins the group of processes, if there is one, and leaves it at the end."""
    if world_size() == 1:
        yield
        return
    if device == "cuda":
        torch.cuda.set_device(local_device(device))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def wrap_ddp(module: nn.Module, *, unused_parameters: bool) -> nn.Module:
    """The module with its gradients averaged over the processes.

    unused_parameters: not every step uses every parameter.
    """
    return DistributedDataParallel(module, find_unused_parameters=unused_parameters) if world_size() > 1 else module


@contextmanager
def rank0_first() -> Generator[None]:
    """The first process runs the block alone, the others after it: what it packs, they open."""
    if distributed.is_initialized() and rank() > 0:
        distributed.barrier()
    yield
    if distributed.is_initialized() and rank() == 0:
        distributed.barrier()

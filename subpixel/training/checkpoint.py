"""The state of a run in one safetensors file: weights, averaged weights, optimiser and step; written atomically."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from subpixel.errors import DataError


def save(path: Path, step: int, digest: str, model: nn.Module, average: nn.Module, optimizer: Optimizer) -> None:
    """Writes everything that the next step depends on."""
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(
            {k: v.contiguous().clone() for k, v in tensors.items()},
            temporary,
            {"step": str(step), "recipe": digest},
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def restore(path: Path, digest: str, model: nn.Module, average: nn.Module, optimizer: Optimizer) -> int:
    """Loads a checkpoint into model, average and optimiser, and returns its step.

    Raises: DataError if the checkpoint belongs to another recipe.
    """
    with safe_open(path, "pt") as file:
        header = file.metadata()
        if header["recipe"] != digest:
            raise DataError(
                f"{path} belongs to another recipe ({header['recipe']}, this one is {digest}); take another run folder"
            )
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    model.load_state_dict(_under(tensors, "model."))
    average.load_state_dict(_under(tensors, "average."))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _under(tensors, "optimizer.").items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(header["step"])


def averaged(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint: where another run starts.

    Raises: DataError if the file is not a checkpoint.
    """
    try:
        with safe_open(path, "pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot start from the checkpoint {path}: {error}") from None
    return _under(tensors, "average.module.")


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

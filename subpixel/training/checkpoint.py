"""The state of a run in one safetensors file: weights, averaged weights, optimisers and step; written atomically."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from subpixel import atomic
from subpixel.errors import DataError

Parts = Mapping[str, nn.Module | Optimizer]
"""What a run consists of, by name; `average` is the network that is validated and shipped."""


@dataclass(frozen=True)
class TrainState:
    """How far a run has come."""

    step: int = 0
    best: float = -math.inf
    """The best validation so far."""
    hours: float = 0.0
    """Of training, those of the network it began with included."""
    earlier: int = 0
    """Steps of the network it began with; see `start.mark`."""
    plain: bool = False
    """Whether the network is in its deploy form, as it is after a start from a model file."""


def save(path: Path, digest: str, mark: TrainState, parts: Parts) -> None:
    """Writes everything that the next step depends on; an older checkpoint stays until this one is whole.

    Raises: DataError if it cannot be written.
    """
    tensors = {f"{name}.{k}": v.contiguous().clone() for name, part in parts.items() for k, v in _state(part).items()}
    header = {"recipe": digest, **{name: repr(value) for name, value in asdict(mark).items()}}
    try:
        with atomic.replacing(path) as part:
            save_file(tensors, part, header)
    except (OSError, SafetensorError) as error:
        kept = "; the checkpoint before is kept" if path.exists() else ""
        raise DataError(f"cannot write {path} at step {mark.step}: {error}{kept}; make room and start again") from None


def restore(path: Path, digest: str, parts: Parts) -> TrainState:
    """Loads a checkpoint into its parts; returns how far the run has come.

    Raises: DataError if the checkpoint belongs to another recipe or cannot be read.
    """
    with _opened(path) as file:
        header = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if header.get("recipe") != digest:
        raise DataError(
            f"{path} belongs to another recipe ({header.get('recipe')}, this one is {digest}); take another run folder"
        )
    for name, part in parts.items():
        found = _under(tensors, f"{name}.")
        if isinstance(part, Optimizer):
            part.load_state_dict({"state": _nested(found), "param_groups": part.state_dict()["param_groups"]})
        else:
            part.load_state_dict(found)
    return _mark(path, header)


def read_state(path: Path) -> TrainState:
    """How far a run had come when it wrote a checkpoint.

    Raises: DataError if the file is not a checkpoint.
    """
    with _opened(path) as file:
        return _mark(path, file.metadata() or {})


def ema_weights(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint: where another run starts.

    Raises: DataError if the file is not a checkpoint.
    """
    prefix = "average.module."
    with _opened(path) as file:
        names = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def _mark(path: Path, header: Mapping[str, str]) -> TrainState:
    if "step" not in header:
        raise DataError(f"{path} holds weights, but is no checkpoint of a training; expected a run's last.safetensors")
    step, best, hours = int(header["step"]), float(header["best"]), float(header["hours"])
    return TrainState(step, best, hours, int(header.get("earlier", 0)), header.get("plain") == "True")


def _state(part: nn.Module | Optimizer) -> dict[str, Tensor]:
    if isinstance(part, nn.Module):
        return dict(part.state_dict())
    states = part.state_dict()["state"].items()
    return {f"{index}.{k}": torch.as_tensor(v) for index, state in states for k, v in state.items()}


def _nested(flat: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return state


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot read the checkpoint {path}: {error}") from None


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

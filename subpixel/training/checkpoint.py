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
"""What a run consists of, by name; `ema` holds the network that is validated and shipped."""


@dataclass(frozen=True)
class TrainState:
    """How far a run has come."""

    step: int = 0
    best: float = -math.inf
    """The best validation so far."""
    hours: float = 0.0
    """Of training, those of the initial weights included."""
    initial_steps: int = 0
    """Steps of training behind the initial weights; see `initialization.initial_state`."""
    deployed: bool = False
    """Whether the network is in its deploy form, as it is after a start from a model file."""
    validated: bool = True
    """False where a validation was due at this step and is not in `best` yet."""


def save(path: Path, origin: Mapping[str, str], state: TrainState, parts: Parts) -> None:
    """Writes everything that the next step depends on; an older checkpoint stays until this one is whole.

    origin: what is noted of the run, see `resumption`. Raises: DataError if it cannot be written.
    """
    tensors = {
        f"{name}.{key}": tensor.contiguous().clone()
        for name, part in parts.items()
        for key, tensor in _flat_state(part).items()
    }
    header = {**origin, **{name: repr(value) for name, value in asdict(state).items()}}
    try:
        with atomic.replacing(path) as temporary:
            save_file(tensors, temporary, header)
    except (OSError, SafetensorError) as error:
        kept = "; the checkpoint before is kept" if path.exists() else ""
        raise DataError(f"cannot write {path} at step {state.step}: {error}{kept}; make room and start again") from None


def restore(path: Path, parts: Parts) -> TrainState:
    """Loads a checkpoint into its parts; returns how far the run has come. Leftovers of a killed run are removed.

    Raises: DataError if the checkpoint does not fit the parts or cannot be read.
    """
    atomic.sweep(path.parent)
    with _open(path) as file:
        header = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for name, part in parts.items():
        state = _with_prefix(tensors, f"{name}.")
        try:
            if not state:
                raise KeyError(name)
            if isinstance(part, Optimizer):
                part.load_state_dict({"state": _by_index(state), "param_groups": part.state_dict()["param_groups"]})
            else:
                part.load_state_dict(state)
        except (RuntimeError, ValueError, KeyError) as error:
            why = " ".join(str(error).split())[:200]
            raise DataError(f"{path} does not fit the run's {name} ({why}); take another run folder") from None
    return _train_state(path, header)


def read_origin(path: Path) -> dict[str, str]:
    """What a checkpoint notes of its run. Raises: DataError if the file cannot be read."""
    with _open(path) as file:
        return dict(file.metadata() or {})


def read_state(path: Path) -> TrainState:
    """How far a run had come when it wrote a checkpoint.

    Raises: DataError if the file is not a checkpoint.
    """
    with _open(path) as file:
        return _train_state(path, file.metadata() or {})


def ema_weights(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint: where another run starts.

    Raises: DataError if the file is not a checkpoint.
    """
    prefix = "ema.module."
    with _open(path) as file:
        names = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def _train_state(path: Path, header: Mapping[str, str]) -> TrainState:
    try:
        return TrainState(
            step=int(header["step"]),
            best=float(header["best"]),
            hours=float(header["hours"]),
            initial_steps=int(header["initial_steps"]),
            deployed=header["deployed"] == "True",
            validated=header.get("validated") != "False",
        )
    except (KeyError, ValueError):
        raise DataError(
            f"{path} holds weights, but is no checkpoint of a training; expected a run's last.safetensors"
        ) from None


def _flat_state(part: nn.Module | Optimizer) -> dict[str, Tensor]:
    """A part's state by one key each; an optimiser's are INDEX.NAME."""
    if isinstance(part, nn.Module):
        return dict(part.state_dict())
    states = part.state_dict()["state"].items()
    return {f"{index}.{name}": torch.as_tensor(v) for index, state in states for name, v in state.items()}


def _by_index(flat: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The inverse of `_flat_state` for an optimiser."""
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        states.setdefault(int(index), {})[name] = value
    return states


@contextmanager
def _open(path: Path) -> Generator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot read the checkpoint {path}: {error}") from None


def _with_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

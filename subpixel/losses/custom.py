"""Custom losses, named by where they are: "mypackage.losses:edge"."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor

from subpixel.errors import RecipeError, place_in

Loss = Callable[[Tensor, Tensor], Tensor]
"""Output and target, N 3 H W in [0, 1] -> a number."""


def find(name: str) -> Loss:
    """The function "module:function" of a module that is imported already. Raises: RecipeError."""
    module, _, attribute = name.partition(":")
    loss: Any = getattr(sys.modules.get(module), attribute, None) if attribute else None
    if not callable(loss):
        raise RecipeError(f"loss.custom: {name!r}; expected module:function, a function of output and target")
    return cast("Loss", loss)


def measure(name: str, output: Tensor, target: Tensor) -> Tensor:
    """What that function says of N C H W in [0, 1]. Raises: RecipeError where it fails, or gives no number."""
    try:
        loss: Any = find(name)(output, target)
    except Exception as error:  # what the user's function raises
        why = f"{type(error).__name__}: {' '.join(str(error).split())}{place_in(error, [name])}"
        raise RecipeError(f"loss.custom: {name} of output and target: {why}") from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        given = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
        raise RecipeError(f"loss.custom: {name} gives {given}; expected a tensor of one number")
    return loss

"""Losses of the user's own, named by where they are: "mypackage.losses:edge"."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor

from subpixel.errors import RecipeError

Loss = Callable[[Tensor, Tensor], Tensor]
"""Output and target, N 3 H W in [0, 1] -> a number."""


def find(name: str) -> Loss:
    """The function "module:function" of a module that is imported already. Raises: RecipeError."""
    module, _, attribute = name.partition(":")
    found: Any = getattr(sys.modules.get(module), attribute, None) if attribute else None
    if not callable(found):
        raise RecipeError(f"loss.own: {name!r}; expected module:function, a function of output and target")
    return cast("Loss", found)

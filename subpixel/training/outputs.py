"""What a network gives while it is trained, held against its ports: it may be a class of the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from subpixel.errors import RecipeError
from subpixel.nn.arch import Arch


def outputs(network: Arch, low: Tensor, port: str = "", **condition: Tensor) -> list[tuple[Tensor, int]]:
    """`Arch.outputs`. Raises: RecipeError where they are no tensors, of another shape, or nothing can learn by them."""
    given: Any = network.outputs(low, port, **condition)
    if not isinstance(given, list) or not given or not all(map(_is_pair, given)):
        raise RecipeError(_message(network, f"outputs of type {type(given).__name__}", "pairs of a tensor and a scale"))
    for output, scale in given:
        _check(network, output, _shape(network, low, port, scale))
    return given


def output_scales(network: Arch, scales: Iterable[int]) -> list[int]:
    """The scales of which a loss sees an output while the network is trained at some."""
    x = torch.zeros(1, network.ports.channels, 8, 8, device=next(network.parameters()).device)
    with torch.no_grad():
        return sorted({at for scale in scales for _, at in outputs(network.at_scale(scale), x)})


def _is_pair(given: Any) -> bool:
    return isinstance(given, tuple) and [type(each) for each in given[1:]] == [int]


def _shape(network: Arch, low: Tensor, port: str, scale: int) -> tuple[int, ...]:
    first, *others = network.ports.outputs
    meant = next((other for other in others if other.name == port), first)
    count, channels, height, width = low.shape
    return (count, meant.depth) if meant.kind == "vector" else (count, channels, height * scale, width * scale)


def _check(network: Arch, output: Any, expected: tuple[int, ...]) -> None:
    if not isinstance(output, Tensor):
        raise RecipeError(_message(network, f"a {type(output).__name__}", f"a tensor of {expected}"))
    if output.shape != expected:
        raise RecipeError(_message(network, tuple(output.shape), expected))
    if torch.is_grad_enabled() and not output.requires_grad:
        raise RecipeError(_message(network, "what no weight of it changes", "a result with a gradient"))


def _message(network: Arch, result: object, expected: object) -> str:
    return f"arch: {type(network).__name__} makes {result} here; expected {expected}"

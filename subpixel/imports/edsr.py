"""Weights of the authors' EDSR-PyTorch (sanghyun-son) as our EDSR, which can be trained further."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from subpixel import archs
from subpixel.errors import BadWeights
from subpixel.nn.arch import Arch

_TAIL = re.compile(r"tail\.0\.\d+\.weight")
_DEEP = 256
"""From so many features on, the authors' networks scale their residuals by 0.1; files do not say it."""


def is_edsr(weights: Mapping[str, Any]) -> bool:
    """Whether these are the names of EDSR-PyTorch's weights."""
    return {"head.0.weight", "tail.1.weight", "sub_mean.weight", "add_mean.weight"} <= weights.keys()


def network(path: Path, weights: Mapping[str, Tensor]) -> Arch:
    """The network of a file; both work in 0..255 around DIV2K's mean.

    Raises: BadWeights for weights that do not fit EDSR.
    """
    stages = sorted(name for name in weights if _TAIL.fullmatch(name))
    features = len(weights["head.0.weight"])
    blocks = {int(match[1]) for name in weights if (match := re.match(r"body\.(\d+)\.body\.", name))}
    scale = 2 ** len(stages)
    if len(stages) == 1 and len(weights[stages[0]]) == 9 * features:
        scale = 3
    config = {"scale": scale, "blocks": len(blocks), "features": features}
    edsr = archs.create("edsr", config | {"residual_scale": 0.1 if features >= _DEEP else 1.0})
    ours = {_name(name, scale, stages): value for name, value in weights.items() if "_mean" not in name}
    try:
        edsr.load_state_dict({name: torch.as_tensor(value).float() for name, value in ours.items()})
    except RuntimeError as error:
        raise BadWeights(path, f"its weights do not fit EDSR: {' '.join(str(error).split())[:200]}") from None
    return edsr.eval()


def _name(theirs: str, scale: int, stages: list[str]) -> str:
    """tail.0.2.weight -> tail.x4.1.weight, and so on."""
    if theirs.startswith("head.0."):
        return theirs.replace("head.0.", "head.")
    if theirs.startswith("tail.1."):
        return theirs.replace("tail.1.", f"tail.x{scale}.{len(stages)}.")
    if theirs.startswith("tail.0."):
        *_, number, kind = theirs.split(".")
        return f"tail.x{scale}.{stages.index(f'tail.0.{number}.weight')}.{kind}"
    return theirs

"""What a user may call the models of the package: by name, by family, or as the field writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from subpixel.ports import ModelName


def matching_models(text: str, known: Iterable[str]) -> list[str]:
    """The models that a name means, by factor: one, or all of a family; none where it means nothing.

    Case, hyphens, underscores and an ending "-base" do not matter: EDSR, edsr_base and edsr-base are one family, EDSRx2
    and edsr-base-x2 one model.
    """
    names = sorted(filter(None, map(ModelName.parse, known)), key=lambda name: name.scale)
    wanted, scale = _plain(text), None
    is_family = any(_plain(name.family) == wanted for name in names)
    ending = None if is_family else re.fullmatch(r"(.+?)x([1-9]\d*)", wanted)
    if ending:
        wanted, scale = _plain(ending[1]), int(ending[2])
    return [str(name) for name in names if _plain(name.family) == wanted and scale in (None, name.scale)]


def _plain(text: str) -> str:
    return re.sub("[-_ ]", "", text.lower()).removesuffix("base")

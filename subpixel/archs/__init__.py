"""The networks of the field, one file a paper; the file name is the architecture's name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from subpixel.errors import BadRequest, RecipeError, UnknownName
from subpixel.nn.arch import Arch

NAMES: tuple[str, ...] = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))
"""Every architecture: the files of this folder."""


def find(name: str) -> type[Arch]:
    """The class of an architecture.

    Raises: UnknownName with the closest name.
    """
    if name not in NAMES:
        raise UnknownName("architecture", name, NAMES)
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Arch)]
    defined = (c for c in classes if c.__module__ == module.__name__)
    return next(c for c in defined if c.__name__.lower() == name.replace("_", ""))


def create(name: str, config: Mapping[str, Any]) -> Arch:
    """A network with fresh weights.

    Raises: UnknownName for the name, RecipeError naming the key of `config` that is wrong.
    """
    cls = find(name)
    strict: Any = with_config(ConfigDict(extra="forbid"))(type(cls.EXAMPLE))
    try:
        values = TypeAdapter(strict).validate_python(dict(config))
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"config.{'.'.join(map(str, first['loc']))}: {first['msg']} ({name})") from None
    try:
        return cls(values)
    except BadRequest as error:
        raise RecipeError(f"config.scale: {error}") from None

"""The networks of the field, one file a paper; the file name is the architecture's name."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from subpixel.errors import BadRequest, RecipeError, UnknownName, first_problem

if TYPE_CHECKING:
    from subpixel.nn.arch import Arch  # imports torch, which the names do not need

NAMES: tuple[str, ...] = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))
"""Every architecture: the files of this folder."""


def find(name: str) -> type[Arch]:
    """The class of an architecture: a file of this folder, or "module:Class" of a module that is imported already.

    A name can come out of a model file, which must not make us import what it likes.
    Raises: UnknownName with the closest name.
    """
    if name in NAMES:
        module = importlib.import_module(f"{__name__}.{name}")
        return next(c for c in _architectures(module) if c.__name__.lower() == name.replace("_", ""))
    module_name, _, class_name = name.partition(":")
    if class_name and module_name in sys.modules:
        own = [c for c in _architectures(sys.modules[module_name]) if c.__name__ == class_name]
        if own:
            return own[0]
    raise UnknownName("architecture", name, NAMES)


def _architectures(module: ModuleType) -> list[type[Arch]]:
    """The architectures that a module defines itself."""
    from subpixel.nn.arch import Arch

    classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Arch)]
    return [c for c in classes if c.__module__ == module.__name__]


def name_of(network: Arch) -> str:
    """The name by which `find` finds the class of a network."""
    package, _, module = type(network).__module__.rpartition(".")
    return module if package == __name__ else f"{type(network).__module__}:{type(network).__name__}"


def create(name: str, config: Mapping[str, Any]) -> Arch:
    """A network with fresh weights.

    Raises: UnknownName for the name, RecipeError naming the key of `config` that is wrong.
    """
    cls = find(name)
    strict: Any = with_config(ConfigDict(extra="forbid"))(type(cls.EXAMPLE))
    try:
        values = TypeAdapter(strict).validate_python(dict(config))
    except ValidationError as error:
        raise RecipeError(f"config.{first_problem(error)} ({name})") from None
    try:
        return cls(values)
    except BadRequest as error:
        raise RecipeError(f"config.scale: {error}") from None

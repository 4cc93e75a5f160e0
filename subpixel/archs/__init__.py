"""The networks of the field, one file a paper; the file name is the architecture's name."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from subpixel.errors import BadRequest, RecipeError, UnknownName, first_problem, place_in

if TYPE_CHECKING:
    from subpixel.nn.arch import Arch  # imports torch, which the names do not need

NAMES: tuple[str, ...] = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))
"""Every architecture: the files of this folder."""


def find(name: str) -> type[Arch]:
    """The class of an architecture: a file of this folder, or "module:Class" of a module that is imported already.

    A name can come out of a model file, which must not make us import what it likes.
    Raises: UnknownName with the closest name; RecipeError for a class that is no architecture, or whose module is not
    imported.
    """
    if name in NAMES:
        module = importlib.import_module(f"{__name__}.{name}")
        return next(c for c in _architectures(module) if c.__name__.lower() == name.replace("_", ""))
    module_name, _, class_name = name.partition(":")
    if class_name and module_name in sys.modules:
        return _custom(sys.modules[module_name], class_name)
    if class_name:
        raise RecipeError(
            f"{name} is in a module that is not imported; import {module_name} first, or end its run by subpixel train"
            " with --set steps=STEPS: the .onnx that it writes needs no module"
        )
    raise UnknownName("architecture", name, NAMES)


def _custom(module: ModuleType, name: str) -> type[Arch]:
    known = {each.__name__: each for each in _architectures(module)}
    if name in known:
        missing = [what for what in ("paper", "EXAMPLE") if not hasattr(known[name], what)]
        if missing:
            raise RecipeError(f"arch: {module.__name__}:{name} has no {missing[0]}; see subpixel.nn.arch.Arch")
        return known[name]
    if hasattr(module, name):
        raise RecipeError(
            f"arch: {module.__name__}:{name} is no class of that module derived from subpixel.nn.arch.Arch"
        )
    raise UnknownName(f"architecture in {module.__name__}", name, known)


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

    Raises: UnknownName for the name; RecipeError naming the key of `config` that is wrong, or all where the network
    cannot be built with it.
    """
    cls = find(name)
    try:
        strict: Any = with_config(ConfigDict(extra="forbid"))(type(cls.EXAMPLE))
        values = TypeAdapter(strict).validate_python(dict(config))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Initializing zero-element tensors")  # of a layer without channels
            return cls(values)
    except ValidationError as error:
        raise RecipeError(f"config.{first_problem(error)} ({name})") from None
    except BadRequest as error:
        raise RecipeError(f"config.scale: {error}") from None
    except Exception as error:  # what layers, or a class of the user's own, raise for values that nobody foresaw
        why = f"{type(error).__name__}: {' '.join(str(error).split())}{place_in(error, [name])}"
        raise RecipeError(f"config: no {name} can be built with {dict(config)}: {why}") from error

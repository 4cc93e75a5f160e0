"""Degradations as values for a table of TOML or JSON, and back."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, cast, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from subpixel.degradations.blur import GaussianBlur, MotionBlur, SincBlur
from subpixel.degradations.codecs import Jpeg, Webp
from subpixel.degradations.deblurred import Deblurred
from subpixel.degradations.degradation import Chain, Degradation
from subpixel.degradations.distributions import Choice, RandomOrder, Uniform
from subpixel.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from subpixel.degradations.resizing import Downsample, Resize
from subpixel.degradations.wear import Fade, Scratches, Sharpen
from subpixel.errors import BadRequest, RecipeError

_CLASSES = (
    Chain, Choice, Deblurred, Downsample, Fade, GaussianBlur, GaussianNoise, Jpeg, MotionBlur, PoissonNoise, Resize,
    RandomOrder, Scratches, Sharpen, SincBlur, SpeckleNoise, Uniform, Webp,
)  # fmt: skip
KINDS: dict[str, type[Degradation]] = {cls.__name__: cls for cls in _CLASSES}
"""Every degradation by the `kind` that names it in a table."""


def to_dict(degradation: Degradation) -> dict[str, Any]:
    """The kind and every parameter as strings, numbers, lists and tables; the inverse of `from_dict`."""
    names = [f.name for f in fields(cast("Any", degradation))]
    return {"kind": type(degradation).__name__} | {n: _to_value(getattr(degradation, n)) for n in names}


def from_dict(table: Mapping[str, Any], where: str = "degradation") -> Degradation:
    """A degradation from its table; parameters with defaults may be left out.

    where: the path of the table in its file, for messages.
    Raises: RecipeError with the path of the wrong key or value, and the closest right one.
    """
    values = dict(table)
    name = values.pop("kind", None)
    if not isinstance(name, str) or name not in KINDS:
        raise RecipeError(f"{where}.kind: {_unknown(name, list(KINDS))}")
    cls = KINDS[name]
    hints = {f.name: get_type_hints(cls)[f.name] for f in fields(cast("Any", cls))}
    for key in values:
        if key not in hints:
            raise RecipeError(f"{where}.{key}: {_unknown(key, list(hints))}")
    for f in fields(cast("Any", cls)):
        if f.name not in values and f.default is MISSING:
            raise RecipeError(f"{where}.{f.name}: missing; {name} needs it")
    try:
        return cls(**{key: _from_value(value, hints[key], f"{where}.{key}") for key, value in values.items()})
    except BadRequest as error:
        raise RecipeError(f"{where}: {error}") from None


def _to_value(value: Any) -> Any:
    if isinstance(value, Degradation):
        return to_dict(value)
    return [_to_value(v) for v in cast("tuple[Any, ...]", value)] if isinstance(value, tuple) else value


def _from_value(value: Any, hint: Any, where: str) -> Any:
    if hint is Degradation:
        return from_dict(_table(value, where), where)
    if Degradation in get_args(hint):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise RecipeError(f"{where}: {value!r}; expected a list of degradations")
        items = cast("Sequence[Any]", value)
        return tuple(from_dict(_table(v, f"{where}[{k}]"), f"{where}[{k}]") for k, v in enumerate(items))
    try:
        value = tuple(cast("list[Any]", value)) if isinstance(value, list) else value
        return TypeAdapter(hint).validate_python(value, strict=True)
    except ValidationError as error:
        raise RecipeError(f"{where}: {error.errors()[0]['msg']}, not {value!r}") from None


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise RecipeError(f"{where}: {value!r}; expected a table with a `kind`")
    return cast("Mapping[str, Any]", value)


def _unknown(name: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(known)}"
    return f"{'missing' if name is None else f'unknown name {name!r}'}; {hint}"

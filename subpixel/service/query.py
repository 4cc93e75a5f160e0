"""A `VideoRequest` in the query of a URL, of photos too: flat, a dot for what lies inside: size=x1080&codec=av1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, cast

from starlette.requests import Request

from subpixel.errors import BadRequest, UnknownName
from subpixel.inference.choice import AUTO
from subpixel.models.naming import matching_models
from subpixel.models.store import names
from subpixel.resample import KERNELS
from subpixel.video.request import VideoRequest

_OPERATORS = ("tile", "execution", "encoding.keep_time")
"""What decides about the machine, which is not the client's."""
_OF_FOLDERS = "fps"
"""What is asked for of a folder of images, which is no upload."""
_LONGEST = 40
"""Characters of a wrong name that are told."""


def parse_query(items: Iterable[tuple[str, str]]) -> VideoRequest:
    """Raises: UnknownName with the closest key; BadRequest for one given twice, a wrong value, or a path as a model."""
    nested, known = dict[str, Any](), _defaults()
    for key, value in items:
        if key.startswith(_OPERATORS):
            raise BadRequest(f"{key[:_LONGEST]} is not asked for over the network; the server decides")
        if key not in known:
            raise UnknownName("parameter", key[:_LONGEST], known)
        outer, _, last = key.rpartition(".")
        place = nested.setdefault(outer, {}) if outer else nested
        if last in place:
            raise BadRequest(f"{key} is given twice")
        place[last] = value.split(",") if isinstance(known[key], tuple) else value
    request = VideoRequest.parse(nested)
    if not (request.model == AUTO or request.model in KERNELS or matching_models(request.model, names())):
        raise BadRequest(f"model {request.model[:_LONGEST]!r}; expected auto, a kernel, or a name from /v1/models")
    return request


def check_no_query(request: Request) -> None:
    """Of paths where nothing can be asked for. Raises: BadRequest."""
    for key in request.query_params:
        raise BadRequest(f"unknown parameter {key[:_LONGEST]!r}; this path has none")


def parameters() -> list[dict[str, Any]]:
    """The query's keys, as OpenAPI lists them."""
    return [
        {"name": name, "in": "query", "required": False, "schema": {"default": value}}
        for name, value in _defaults().items()
    ]


@cache
def _defaults() -> dict[str, Any]:
    values = _flat(VideoRequest.parse({}).model_dump())
    return {name: value for name, value in values if not name.startswith(_OPERATORS) and name != _OF_FOLDERS}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{above}{name}.")
        else:
            yield above + name, value

"""A `VideoRequest` in the query of a URL, of photos too: flat, a dot for what lies inside: size=x1080&codec=av1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from subpixel.errors import BadRequest
from subpixel.inference.choice import AUTO
from subpixel.models.naming import meant
from subpixel.models.store import names
from subpixel.resample import KERNELS
from subpixel.video.request import VideoRequest

_OPERATORS = ("tile", "execution", "encoding.keep_time")
"""What decides about the machine, which is not the client's."""


def parse_query(items: Iterable[tuple[str, str]]) -> VideoRequest:
    """Raises: BadRequest for an unknown key, a key given twice, a value that makes no sense, or a path as a model."""
    nested = dict[str, Any]()
    for key, value in items:
        if key.startswith(_OPERATORS):
            raise BadRequest(f"{key} is not asked for over the network; the server decides")
        *outer, last = key.split(".")
        place = nested
        for name in outer:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise BadRequest(f"{key}: there is a value for {name} already")
        if last in place:
            raise BadRequest(f"{key} is given twice")
        place[last] = value
    request = VideoRequest.parse(nested)
    known = request.model == AUTO or request.model in KERNELS or meant(request.model, names())
    if not known:
        raise BadRequest(f"model {request.model[:40]!r}; expected auto, a kernel, or a name from /v1/models")
    return request


def parameters() -> list[dict[str, Any]]:
    """The query's keys, as OpenAPI lists them."""
    return [
        {"name": name, "in": "query", "required": False, "schema": {"default": value}}
        for name, value in _flat(VideoRequest.parse({}).model_dump())
        if not name.startswith(_OPERATORS)
    ]


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(cast("dict[str, Any]", value), f"{above}{name}.")
        else:
            yield above + name, value

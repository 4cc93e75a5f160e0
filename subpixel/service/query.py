"""A `VideoRequest` in the query of a URL, of photos too: flat, a dot for what lies inside: size=x1080&codec=av1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

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
    nested, known = dict[str, Any](), _schemas()
    for key, value in items:
        if key.startswith(_OPERATORS):
            raise BadRequest(f"{key[:_LONGEST]} is not asked for over the network; the server decides")
        if key not in known:
            raise UnknownName("parameter", key[:_LONGEST], known)
        outer, _, last = key.rpartition(".")
        place = nested.setdefault(outer, {}) if outer else nested
        if last in place:
            raise BadRequest(f"{key} is given twice")
        place[last] = value.split(",") if _is_list(known[key]) else value
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
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": schema,
            **({"style": "form", "explode": False} if _is_list(schema) else {}),  # 1,2,3
        }
        for name, schema in _schemas().items()
    ]


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """The keys, and what JSON Schema says of their values."""
    whole = VideoRequest.model_json_schema()
    schemas = _flat(whole, whole["$defs"])
    return {name: schema for name, schema in schemas if not name.startswith(_OPERATORS) and name != _OF_FOLDERS}


def _flat(whole: Mapping[str, Any], parts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in whole["properties"].items():
        if "$ref" in schema:
            yield from _flat(parts[schema["$ref"].rpartition("/")[2]], parts, f"{above}{name}.")
        else:
            yield above + name, _without_null(schema)


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same of what a query can say: there a key that is left out is what null is in JSON."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    kept = {name: value for name, value in schema.items() if name not in ("anyOf", "title") and value is not None}
    return kept | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array"

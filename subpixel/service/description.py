"""What OpenAPI says of the routes beyond what FastAPI sees in their functions."""

from __future__ import annotations

from typing import Any

from subpixel.service.negotiation import MEDIA_TYPES
from subpixel.service.problems import MEDIA_TYPE
from subpixel.service.query import parameters

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}}
_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
PROBLEMS: Any = {"default": {"description": "What went wrong: RFC 9457", "content": {MEDIA_TYPE: _PROBLEM}}}
IMAGE: Any = {
    "parameters": parameters(),
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": _BINARY,
            "multipart/form-data": {"schema": {"type": "object", "properties": {"image": _BINARY["schema"]}}},
        },
    },
}
"""A body that is an image, and what may be asked for."""


def header(name: str, description: str) -> dict[str, Any]:
    """A header that a route heeds."""
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


def answers(*kinds: str) -> dict[int | str, Any]:
    """Of a route that answers in one of these media types."""
    content = {kind: _TEXT if kind.startswith("text/") else _BINARY for kind in kinds}
    return {200: {"description": "It went well", "content": content}}


RESULT = answers(*dict.fromkeys(MEDIA_TYPES.values()))

"""What the page computes with where nothing may leave the browser: onnxruntime-web, and our models as plain .onnx."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, JSONResponse, Response

from subpixel import models
from subpixel.ports import ModelName

FAMILIES = ("espcn", "swift")
"""What a preview is computed with, and a result."""
_SCALES = (2, 3, 4)
_TYPES = {".mjs": "text/javascript", ".wasm": "application/wasm"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Of what has its version in its address."""
_FRESH = {"Cache-Control": "no-cache"}

router = APIRouter(prefix="/browser", include_in_schema=False)


@router.get("/index.json")
def index() -> JSONResponse:
    """Where the program and the models lie, relative to the page; no program where its package is not installed."""
    folder = _program()
    version = folder.parent.name if folder else None
    about = {"program": version and f"browser/{version}/", "models": _models() if version else {}}
    return JSONResponse(about, headers=_FRESH)


@router.get("/models/{name}.onnx")
def model(name: str) -> Response:
    """One of the models, as a graph with all its weights."""
    if name not in _names():
        raise HTTPException(404)
    return Response(_graph(name), media_type="application/octet-stream", headers=_FOR_EVER)


@router.get("/{version}/{name}")
def program(version: str, name: str) -> FileResponse:
    """A file of onnxruntime-web."""
    folder = _program()
    path = folder / name if folder else None
    if path is None or version != path.parent.parent.name or path.suffix not in _TYPES or not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=_FOR_EVER)


def _program() -> Path | None:
    """The folder of the program, in the package `subpixel-browser`, under its version."""
    spec = importlib.util.find_spec("subpixel_browser")
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("*/dist"))), None)


def _names() -> list[str]:
    return [str(ModelName(family, scale)) for family in FAMILIES for scale in _SCALES]


@cache
def _graph(name: str) -> bytes:
    return models.load(name).graph


@cache
def _models() -> dict[str, Any]:
    cards = [models.load(name).card for name in _names()]
    return {
        card.name: {
            "url": f"browser/models/{card.name}.onnx?{card.sha256[:16]}",
            "scale": card.scale,
            "halo": card.halo,
        }
        for card in cards
    }

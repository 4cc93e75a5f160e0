"""The files of the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

PAGE = Path(__file__).parent / "page"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
}


@cache
def page_files() -> dict[str, Path]:
    """By their paths; nothing else can be asked for."""
    files = [file for file in PAGE.rglob("*") if file.suffix in MEDIA_TYPES]
    return {"/": PAGE / "index.html"} | {f"/{file.relative_to(PAGE).as_posix()}": file for file in files}

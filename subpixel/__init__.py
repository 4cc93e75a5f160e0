"""Super-resolution: larger, sharper images, and everything the field has published on how to get them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subpixel.analysis import DegradationReport, inspect
    from subpixel.domains import upscale_file
    from subpixel.errors import SubpixelError
    from subpixel.images import Encoding, Image, read, write
    from subpixel.inference.choice import Restoration
    from subpixel.inference.upscaler import Upscaler
    from subpixel.jobs.request import Request
    from subpixel.runtimes import Execution

__version__ = "0.1.0"

_PUBLIC = {
    "DegradationReport": "analysis",
    "Encoding": "images",
    "Execution": "runtimes",
    "Image": "images",
    "Request": "jobs.request",
    "Restoration": "inference.choice",
    "SubpixelError": "errors",
    "Upscaler": "inference.upscaler",
    "inspect": "analysis",
    "read": "images",
    "upscale_file": "domains",
    "write": "images",
}
"""Public name -> its module, imported when it is first used: importing the package loads no runtime."""

__all__ = [
    "DegradationReport", "Encoding", "Execution", "Image", "Request", "Restoration", "SubpixelError", "Upscaler",
    "inspect", "read", "upscale_file", "write",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'subpixel' has no attribute {name!r}")
    return getattr(importlib.import_module(f"subpixel.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

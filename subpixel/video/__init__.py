"""Video: frames through the networks, everything else of the file kept; needs the extra `video`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subpixel.video.request import VideoRequest
    from subpixel.video.upscaling import upscale

_PUBLIC = {"VideoRequest": "request", "upscale": "upscaling"}
"""Public name -> its module, imported when it is first used, and PyAV with it."""

__all__ = ["VideoRequest", "upscale"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'subpixel.video' has no attribute {name!r}")
    return getattr(importlib.import_module(f"subpixel.video.{_PUBLIC[name]}"), name)

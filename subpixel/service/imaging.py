"""What is done to images in processes of their own: looking, enlarging, converting. Files in, plain values out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from subpixel.errors import TooLarge
from subpixel.jobs.isolated import Tell
from subpixel.jobs.request import Request

_KEPT = 2
"""Upscalers, with what they compiled, that a process keeps for the next image."""


@dataclass(frozen=True)
class Order:
    """What is to be done with which file."""

    do: Literal["examine", "enlarge", "convert", "inspect", "models"]
    source: str = ""
    target: str = ""
    request: str = "{}"
    """JSON of the Request."""
    most: int = 0
    """Pixels, of the image and of the result."""


@dataclass(frozen=True)
class Examined:
    """What the header of an image says, and what would come of it."""

    source_format: str
    source_width: int
    source_height: int
    frames: int
    format: str
    width: int
    height: int


@dataclass(frozen=True)
class Enlarged:
    """What has become of an image."""

    bytes: int
    etag: str
    note: str | None
    chosen: str


def perform(order: Order, tell: Tell) -> Any:
    """What a process of the service does. Raises: SubpixelError."""
    return _ORDERS[order.do](order, tell)


def _examine(order: Order, tell: Tell) -> Examined:
    """Reads the header alone, where libvips decodes the format, and refuses what will not be possible."""
    from subpixel.images import create, open_any
    from subpixel.images.formats import format_of, format_of_content, suffix_of_result

    request = Request.parse(order.request)
    opened = open_any(order.source, order.most)
    shape = opened.shape
    with open(order.source, "rb") as file:
        found = format_of_content(file.read(64), order.source)
    assert found
    animation = opened.metadata.animation
    frames = len(animation.delays) if animation else 1
    upscaler = request.upscaler()
    height, width = upscaler.target.sides(shape.height, shape.width, upscaler.factor)
    if height * width * frames > order.most:
        size = f"the result would have {width:,} x {height:,} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise TooLarge("the image", f"{size}, more than the limit of {order.most:,} in all; ask for a smaller one")
    suffix = suffix_of_result(found.suffixes[0])
    target = format_of(f"x{suffix}", request.encoding.format)
    whole = replace(shape, height=height * frames, width=width)
    create(f"result.{target}", whole, opened.metadata, replace(request.encoding, format=target))
    return Examined(found.name, shape.width, shape.height, frames, target, width, height)


def _enlarge(order: Order, tell: Tell) -> Enlarged:
    """order.target: its ending says the format."""
    from subpixel.domains import upscale_file
    from subpixel.inference.plan import Plan

    request = Request.parse(order.request)
    chosen = ""

    def on_progress(plan: Plan, rows: int) -> None:
        nonlocal chosen
        chosen = plan.describe()
        tell((rows / plan.target.height, chosen))

    encoding = replace(request.encoding, format=None)
    note = upscale_file(order.source, order.target, _upscaler(request), encoding, on_progress)
    return Enlarged(Path(order.target).stat().st_size, _digest(order.target), note, chosen)


def _convert(order: Order, tell: Tell) -> Enlarged:
    """The same image in another format."""
    encoding = Request.parse(order.request).encoding
    unchanged = Request.parse({"model": "nearest", "scale": 1}).model_copy(update={"encoding": encoding})
    return _enlarge(Order("enlarge", order.source, order.target, unchanged.model_dump_json()), tell)


def _inspect(order: Order, tell: Tell) -> dict[str, Any]:
    from subpixel.analysis import inspect
    from subpixel.images import open_image

    examined = _examine(order, tell)
    report = inspect(order.source)
    plan = Request.parse(order.request).upscaler().prepare(open_image(order.source).shape, report)
    return {
        "format": examined.source_format,
        "width": examined.source_width,
        "height": examined.source_height,
        "megapixels": round(examined.source_width * examined.source_height / 1e6, 3),
        "frames": examined.frames,
        "summary": report.summary,
        "clean": report.clean,
        "chosen": plan.networks,
        "result": {"format": examined.format, "width": examined.width, "height": examined.height},
        "jpeg_quality": report.jpeg.quality if report.jpeg else None,
        "condition": report.condition(),
    }


def _models(order: Order, tell: Tell) -> list[dict[str, Any]]:
    from subpixel import models

    cards = [models.load(name).card for name in models.names()]
    return [{"name": c.name, "family": c.family, "scale": c.scale, "licence": c.licence} for c in cards]


_upscalers = dict[str, Any]()


def _upscaler(request: Request) -> Any:
    """One that was used before, where its models are compiled, or a new one."""
    key = request.model_dump_json(exclude={"encoding"})
    found = _upscalers.pop(key, None) or request.upscaler()
    while len(_upscalers) >= _KEPT:
        _upscalers.pop(next(iter(_upscalers))).close()
    _upscalers[key] = found
    return found


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


_ORDERS: dict[str, Callable[[Order, Tell], Any]] = {
    "examine": _examine,
    "enlarge": _enlarge,
    "convert": _convert,
    "inspect": _inspect,
    "models": _models,
}

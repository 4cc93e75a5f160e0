"""What is done to files in processes of their own: looking, enlarging, converting. Files in, plain values out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from subpixel.errors import BadRequest, TooLarge, UnwritableImage
from subpixel.images.formats import HEAD, VIDEO, FileFormat, format_of_content
from subpixel.jobs.isolated import Emit
from subpixel.jobs.request import Request
from subpixel.service import videos
from subpixel.service.orders import Enlarged, Examined, Order
from subpixel.video.request import VideoRequest

_KEPT = 2
"""Upscalers, with what they compiled, that a process keeps for the next image."""
_OF_VIDEOS = {
    name: field.default for name, field in VideoRequest.model_fields.items() if name not in Request.model_fields
}
"""What is asked for of videos alone, and its defaults."""


def perform(order: Order, emit: Emit) -> Any:
    """What a process of the service does. Raises: SubpixelError, which does not say where files lie."""
    try:
        return _ORDERS[order.do](order, emit)
    except BadRequest as error:
        raise BadRequest(str(error).replace(order.source or "the file", "the file")) from None


def _examine(order: Order, emit: Emit) -> Examined:
    """Reads the header alone, where the decoder allows it, and refuses what will not be possible."""
    from subpixel.domains.formats import check_selection, format_of
    from subpixel.service import science

    request = VideoRequest.parse(order.request)
    photo, is_video = _looked_at(order.source)
    file_format = None if is_video else format_of(order.source)
    check_selection(order.source, file_format, request)
    if is_video:
        return videos.examine(order, request)
    given = [name for name, default in _OF_VIDEOS.items() if getattr(request, name) != default]
    if given:
        raise BadRequest(f"{', '.join(given)}: for videos alone; this is an image")
    return science.examine(file_format, order, request) if file_format else _examine_photo(photo, order, request)


def _looked_at(source: str) -> tuple[FileFormat | None, bool]:
    """The format of a photo, or whether it is a video, by the first bytes."""
    with open(source, "rb") as file:
        head = file.read(HEAD)
    photo = format_of_content(head, source)
    return photo, photo is None and VIDEO.match(head) is not None


def _examine_photo(file_format: FileFormat | None, order: Order, request: Request) -> Examined:
    from subpixel.images import create, open_any
    from subpixel.images.formats import FORMATS, format_of, suffix_of_result

    opened = open_any(order.source, order.most)
    shape = opened.shape
    assert file_format
    animation = opened.metadata.animation
    frames = len(animation.delays) if animation else 1
    upscaler = request.upscaler()
    height, width = upscaler.target.sides(shape.height, shape.width, upscaler.factor)
    if height * width * frames > order.most:
        size = f"the result would have {width:,} x {height:,} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise TooLarge("the image", f"{size}, more than the limit of {order.most:,} in all; ask for a smaller one")
    suffix = suffix_of_result(file_format.suffixes[0])
    whole = replace(shape, height=height * frames, width=width)
    wanted = [] if request.encoding.format else [name for name in order.wanted if name in FORMATS]
    failures = list[UnwritableImage]()
    for name in wanted or [request.encoding.format]:
        target = format_of(f"x{suffix}", name)
        try:
            create(f"result.{target}", whole, opened.metadata, replace(request.encoding, format=target))
        except UnwritableImage as error:  # no animations in JPEG: the next best
            failures.append(error)
        else:
            return Examined(file_format.name, shape.width, shape.height, frames, target, width, height)
    raise failures[0]


def _enlarge(order: Order, emit: Emit) -> Enlarged:
    """order.target: its ending says the format."""
    request = VideoRequest.parse(order.request)
    enlarge = videos.enlarge if _looked_at(order.source)[1] else _enlarge_image
    note, chosen = enlarge(order, request, emit)
    return Enlarged(Path(order.target).stat().st_size, _digest(order.target), note, chosen)


def _enlarge_image(order: Order, request: Request, emit: Emit) -> tuple[str | None, str]:
    from subpixel.domains import upscale_file
    from subpixel.inference.plan import Plan

    chosen = ""

    def on_progress(plan: Plan, rows: int) -> None:
        nonlocal chosen
        chosen = plan.describe()
        emit((rows / plan.target.height, chosen))

    encoding = replace(request.encoding, format=None)
    return upscale_file(order.source, order.target, _upscaler(request), encoding, on_progress), chosen


def _convert(order: Order, emit: Emit) -> Enlarged:
    """The same image in another format."""
    encoding = VideoRequest.parse(order.request).encoding
    unchanged = VideoRequest.parse({"model": "nearest", "scale": 1}).model_copy(update={"encoding": encoding})
    return _enlarge(Order("enlarge", order.source, order.target, unchanged.model_dump_json()), emit)


def _inspect(order: Order, emit: Emit) -> dict[str, Any]:
    from subpixel.analysis import inspect
    from subpixel.domains.formats import check_photo
    from subpixel.images import open_any

    check_photo(order.source)
    examined = _examine(order, emit)
    report = inspect(order.source)
    plan = VideoRequest.parse(order.request).upscaler().prepare(open_any(order.source).shape, report)
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


def _models(order: Order, emit: Emit) -> list[dict[str, Any]]:
    from subpixel import models

    cards = [models.load(name).card for name in models.of_photos()]
    return [{"name": c.name, "family": c.family, "scale": c.scale, "licence": c.licence} for c in cards]


_upscalers = dict[str, Any]()


def _upscaler(request: Request) -> Any:
    """One that was used before, where its models are compiled, or a new one."""
    key = request.model_dump_json(exclude={"encoding"})
    upscaler = _upscalers.pop(key, None) or request.upscaler()
    while len(_upscalers) >= _KEPT:
        _upscalers.pop(next(iter(_upscalers))).close()
    _upscalers[key] = upscaler
    return upscaler


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


_ORDERS: dict[str, Callable[[Order, Emit], Any]] = {
    "examine": _examine,
    "enlarge": _enlarge,
    "convert": _convert,
    "inspect": _inspect,
    "models": _models,
}

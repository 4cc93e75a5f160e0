"""What is decided before the first frame: the part, the size, what the frames suffer from, what cannot be kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any

from subpixel.analysis import DegradationReport, inspect
from subpixel.errors import BadRequest
from subpixel.inference.choice import WORTH
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import computes_in_bf16
from subpixel.video.decoding import CLOSE, Frame, Frames
from subpixel.video.encoding import Encoder, layout_of
from subpixel.video.enlarging import FrameUpscaler, rgb_image
from subpixel.video.planes import Plane
from subpixel.video.request import VideoRequest
from subpixel.video.source import Source

_TILE = 720
"""The side of a tile, where none is asked for: a network takes less than 256 MiB then, beside two codecs."""
_SAMPLED = 5
"""Frames that are looked at."""


def of_part(request: VideoRequest, source: Source) -> VideoRequest:
    """The request with a preview as start and stop. Raises: BadRequest."""
    length = source.duration
    if request.preview is not None:
        if request.start or request.stop is not None:
            raise BadRequest("a preview (--preview) is out of the middle; ask for it, or for a part (--from, --to)")
        middle = max(0.0, (length or 0.0) - request.preview) / 2
        request = request.model_copy(update={"start": middle, "stop": middle + request.preview, "preview": None})
    if request.stop is not None and request.stop <= request.start:
        raise BadRequest(f"the part from {request.start:g} s to {request.stop:g} s is empty")
    if length is not None and request.start >= length:
        raise BadRequest(f"the part begins at {request.start:g} s; {source.path} ends at {length:.1f} s")
    return request


def frames_of(request: VideoRequest, length: float, rate: Fraction) -> int:
    """Frames of a part of so many seconds, at so many of them a second, about."""
    end = round(length * rate)
    if request.stop is not None:
        end = min(end, math.ceil((request.stop - CLOSE) * rate))
    return max(1, end - math.ceil((request.start - CLOSE) * rate))


def of_size(request: VideoRequest, source: Source, codec: str) -> tuple[Upscaler, list[str]]:
    """What reaches the size that is asked for, or the next one whose halves are whole where chroma needs that.

    A size is that on the screen, on which a video may lie on its side. Returns it with what there is to say of that.
    """
    order = -1 if source.is_turned else 1
    if request.size:
        request = request.model_copy(update={"size": "x".join(request.size.lower().split("x")[::order])})
    request = request.model_copy(update={"tile": _TILE}) if request.tile == "auto" else request
    upscaler, layout = request.upscaler(video=True), layout_of(codec, source.layout)
    sides = upscaler.target.sides(source.height, source.width, upscaler.factor)
    height, width = (-(-side // (1 << n)) * (1 << n) for side, n in zip(sides, layout.sub, strict=True))
    precise = request.execution.precision != "auto" or source.layout.bits > 8 or not computes_in_bf16()
    changes: dict[str, Any] = {}
    notes: list[str] = []
    if not precise and source.layout.is_rgb:
        changes = {"execution": replace(request.execution, precision="bf16")}
    if codec != "ffv1" and (height, width) != sides:
        changes |= {"scale": None, "size": f"{width}x{height}", "fit": False}
        given, made = (f"{w}x{h}" for h, w in (sides[::order], (height, width)[::order]))
        notes = [f"{given} becomes {made}, so that the colours of {layout.name} have whole sides"]
    return request.model_copy(update=changes).upscaler(video=True) if changes else upscaler, notes


def look(source: Source) -> DegradationReport:
    """What is wrong with a video: the middle one of the reports on some of its frames, by how much is wrong."""
    frames = (frame for place in _sampled(source, 1) for frame in place)
    reports = sorted((inspect(rgb_image(frame.planes, source)) for frame in frames), key=_badness)
    return reports[len(reports) // 2] if reports else DegradationReport()


def neighbours(source: Source) -> Iterator[tuple[Plane, Plane]]:
    """Y of some frames, each with the one that follows it."""
    for frames in _sampled(source, 2):
        if len(frames) == 2:
            yield frames[0].planes[0], frames[1].planes[0]


def _sampled(source: Source, count: int) -> Iterator[list[Frame]]:
    """So many frames from each of some places."""
    length = source.duration or 0.0
    for k in range(_SAMPLED if length > 1 else 1):
        start = length * k / _SAMPLED
        yield list(islice(Frames(source, start=start, sought=start), count))


def _badness(report: DegradationReport) -> float:
    condition = report.condition()
    return max(condition[name] / least for name, least in WORTH.items())


def lost_in_pixels(source: Source, encoder: Encoder, request: VideoRequest) -> Iterator[str]:
    """What the result's pixels cannot hold."""
    given, kept = source.layout, encoder.layout
    if given.alpha and not kept.alpha and _is_transparent(source, request):
        yield f"alpha, which {encoder.codec} has not"
    if kept.bits < given.bits:
        yield f"{given.bits} bits a sample; {encoder.codec} takes {kept.bits}"
    if given.is_rgb and not kept.is_rgb:
        yield f"R'G'B', which {encoder.codec} takes as Y'CbCr"
    elif any(k > g for k, g in zip(kept.sub, given.sub, strict=True)):
        yield f"the resolution of the colours of {given.name}; {encoder.codec} takes {kept.name}"
    if encoder.lossless and (source.hdr.mastering or source.hdr.light):
        yield f"the display it was mastered on and its light levels, which {encoder.codec} has not"
    if encoder.codec == "h264" and source.hdr.mastering and not kept.bits > 8:
        yield "HDR in 8 bits bands"


def _is_transparent(source: Source, request: VideoRequest) -> bool:
    """Whether the format says so of itself, or else any pixel of the part that is taken."""
    if not source.often_opaque:
        return True
    opaque = 2**source.layout.bits - 1
    frames = Frames(source, start=request.start, stop=request.stop, sought=request.start)
    return any(frame.planes[-1].min() < opaque for frame in frames)


def mistaken(source: Source, is_rgb: bool) -> list[str]:
    """What a matrix is taken for where its Y'CbCr becomes R'G'B'."""
    has_none = source.layout.is_rgb or source.layout.is_gray
    if not is_rgb or has_none or source.colours.is_known:
        return []
    return [f"the matrix of its colours, number {source.colours.matrix} of H.273, is not known here: they may change"]


def unused(request: VideoRequest, encoder: Encoder) -> list[str]:
    """What was asked for in vain."""
    asked = request.quality != VideoRequest.model_fields["quality"].default
    return (
        [f"quality {request.quality} says nothing to {encoder.codec}, which is lossless"]
        if asked and encoder.lossless
        else []
    )


def flickering(larger: FrameUpscaler) -> list[str]:
    """A sentence for each network whose detail flickers."""
    names = [step.card.name for step in larger.plan.steps if step.card.arch == "srgan"]
    return [f"{name} invents detail anew in each frame, which flickers; swift does not" for name in names]

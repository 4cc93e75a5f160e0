"""Videos in the service: what their headers say, and their enlargement; needs the extra `video`."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from subpixel.errors import BadRequest, TooLarge, UnreadableImage
from subpixel.jobs.isolated import Emit
from subpixel.runtimes import installed
from subpixel.service.orders import Examined, Order
from subpixel.video.request import VideoRequest


def examine(order: Order, request: VideoRequest) -> Examined:
    """Checks what the header claims before a frame is decoded. Raises: UnreadableImage, TooLarge, BadRequest."""
    if not installed("av"):
        raise UnreadableImage(order.source, "it is a video; the server reads those with: pip install 'subpixel[video]'")
    from subpixel.video.encoding import FORMATS, codec_of
    from subpixel.video.planning import frames_of, of_part, of_size
    from subpixel.video.source import main_stream, opened, probe

    path = Path(order.source)
    with opened(path) as container:
        claimed = main_stream(container, path).codec_context
        _check(claimed.width * claimed.height, order.most, f"a frame of {claimed.width} x {claimed.height} pixels")
    source = probe(path)
    wanted = next((name for name in order.wanted if f".{name}" in FORMATS), None)
    kind = request.encoding.format or wanted or ("mp4" if "mp4" in source.container else "mkv")
    if f".{kind}" not in FORMATS:
        kinds = ", ".join(ending.lstrip(".") for ending in FORMATS)
        raise BadRequest(f"encoding.format {kind!r} of a video; expected one of {kinds}")
    part = of_part(request, source)
    upscaler, _ = of_size(part, source, codec_of(part, source, FORMATS[f".{kind}"]))
    height, width = upscaler.target.sides(source.height, source.width, upscaler.factor)
    if source.duration is None:
        raise UnreadableImage(path, "it does not say how long it is")
    frames = frames_of(part, source.duration, source.rate) * (2 if part.deinterlace == "field" else 1)
    result = f"a result of {width} x {height} pixels"
    _check(width * height, order.most, result)
    _check(width * height * frames, order.most_video, f"{result} in {frames:,} frames")
    return Examined(_name(source.container), source.width, source.height, frames, kind, width, height)


def enlarge(order: Order, request: VideoRequest, emit: Emit) -> tuple[str | None, str]:
    """The note and what did it; an earlier try's frames in `TARGET.partial/` are not made again."""
    partial = Path(f"{order.target}.partial")
    try:
        return _enlarged(order, request, emit)
    except BadRequest:  # it was begun by another version, or by a machine with other cores
        if not partial.exists():
            raise
        shutil.rmtree(partial)
        return _enlarged(order, request, emit)


def _enlarged(order: Order, request: VideoRequest, emit: Emit) -> tuple[str | None, str]:
    from subpixel.jobs.pool import Finished
    from subpixel.video.upscaling import Started, upscale

    chosen, done, total, note, error = "", 0, 1, None, None
    with closing(upscale(order.source, order.target, request, overwrite=True)) as events:
        for event in events:
            if isinstance(event, Started):
                chosen, done, total = event.description, event.resumed, event.frames or 1
            elif isinstance(event, Finished):
                note, error = event.note, event.error
            else:
                done += 1
            emit((min(1.0, done / total), chosen))
    damage = [str(error).partition("; ")[0].replace(order.source, "the video")] if error else []
    return "; ".join([*damage, *([note] if note else [])]) or None, chosen


def _check(pixels: int, most: int, what: str) -> None:
    if pixels > most:
        raise TooLarge("the video", f"{what} is more than the limit of {most:,} in all; ask for a smaller one")


def _name(container: str) -> str:
    return {"matroska": "Matroska", "mov": "MP4"}.get(container.partition(",")[0], container.partition(",")[0].upper())

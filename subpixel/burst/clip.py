"""The frames of a clip around one moment, decoded by PyAV (extra: video)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from subpixel.burst.frames import Frame
from subpixel.errors import BadRequest, MissingExtra, UnreadableImage
from subpixel.images import Metadata
from subpixel.images.video_frames import Turn, colour_of

_EARLIER = (2.0, 60.0, float("inf"))
"""Seconds before the moment at which decoding begins: the later where too few are found, for a seek may land late."""
_HD = 720  # rows from which on a clip that does not say its matrix has that of BT.709
_UNSAID = 2
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # as ITU-T H.273 counts -> as libswscale does
_FILES_ALONE = {"protocol_whitelist": "file"}  # no address in a clip is opened, and none is made of a colon in its name


def frames_at(path: str | Path, seconds: float, count: int) -> tuple[list[Frame], int]:
    """`count` frames of a clip around a moment, as RGB, and the index of the one that is shown then.

    Raises: MissingExtra; UnreadableImage for what is no clip, or ends before; BadRequest for an interlaced one.
    """
    try:
        import av
        import av.error
    except ImportError:
        raise MissingExtra("av", "video") from None
    chosen: tuple[list[Any], int] | None = None
    aspect, begin = Fraction(1), 0.0
    try:
        for start in dict.fromkeys(max(0.0, seconds - earlier) for earlier in _EARLIER):
            if chosen and len(chosen[0]) == count:
                break
            with av.open(os.path.abspath(path), options=_FILES_ALONE) as container:
                begin = _begin(_video(container))
                chosen = _around(_decoded(container, start), seconds, count) or chosen
                aspect = _video(container).sample_aspect_ratio or aspect
    except (av.error.FFmpegError, ValueError) as error:
        why = str(getattr(error, "strerror", None) or "it has no video that can be decoded")
        raise UnreadableImage(path, why[:1].lower() + why[1:]) from error
    if chosen is None:
        raise UnreadableImage(path, f"it shows nothing at {seconds:g} s")
    return [_frame(path, frame, aspect, begin) for frame in chosen[0]], chosen[1]


def _decoded(container: Any, start: float) -> Iterator[tuple[float, Any]]:
    """Frames, each with the second from which on it is shown, from a second of the clip on."""
    stream = _video(container)
    begin = _begin(stream)
    if start > 0:
        container.seek(int((start + begin) / stream.time_base), stream=stream)
    for frame in container.decode(stream):
        if frame.time is not None:
            yield frame.time - begin, frame


def _begin(stream: Any) -> float:
    """The time of its first frame, from which seconds are counted."""
    return float((stream.start_time or 0) * stream.time_base)


def _video(container: Any) -> Any:
    """The first that is no cover. Raises: ValueError."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise ValueError


def _around(frames: Iterator[tuple[float, Any]], seconds: float, count: int) -> tuple[list[Any], int] | None:
    """The frames around a moment, and which is shown then; None where they begin after it, or end before.

    Where there are too few on one side, more are taken from the other.
    """
    before, after, latest = deque[Any](maxlen=count), list[Any](), 0.0
    for time, frame in frames:
        if time <= seconds + 1e-6:
            before.append(frame)
            latest = time
        else:
            after.append(frame)
        if len(after) >= count - min(len(before), count - count // 2):
            break
    if not before or not (after or _shows(before[-1], latest, seconds)):
        return None
    earlier = list(before)[-(count - len(after)) :]
    return [*earlier, *after], len(earlier) - 1


def _shows(last: Any, time: float, seconds: float) -> bool:
    """Whether the last frame of a clip, which is shown from a time on, is still there then."""
    return seconds <= time + max(0.1, 2 * float((last.duration or 0) * last.time_base))


def _frame(path: str | Path, frame: Any, aspect: Fraction, begin: float) -> Frame:
    if frame.interlaced_frame:
        raise BadRequest(f"{path} is interlaced: each of its frames is of two moments; deinterlace it first")
    deep = any(component.bits > 8 for component in frame.format.components)
    matrix = _MATRICES.get(int(frame.colorspace), 1 if frame.height >= _HD else 5)
    converted = frame.reformat(format="rgb48le" if deep else "rgb24", src_colorspace=matrix)
    turn = Turn.of(_display_matrix(frame))
    upright = np.ascontiguousarray(turn.upright(converted.to_ndarray()))
    colour = colour_of(int(frame.color_primaries), int(frame.color_trc))
    name = f"the frame at {frame.time - begin:.3f} s"
    return Frame(
        name,
        upright,
        Metadata(
            depth=16 if deep else 8,
            colour=colour,
            notes=(*_squared(turn.aspect(aspect)), *_opaque(frame), *_mistaken(frame)),
        ),
    )


def _display_matrix(frame: Any) -> bytes | None:
    from av.sidedata.sidedata import Type

    return bytes(frame.side_data[Type.DISPLAYMATRIX]) if Type.DISPLAYMATRIX in frame.side_data else None


def _opaque(frame: Any) -> tuple[str, ...]:
    has_alpha = any(component.is_alpha for component in frame.format.components)
    return ("its alpha is left out",) if has_alpha else ()


def _mistaken(frame: Any) -> tuple[str, ...]:
    """What the matrix of its Y'CbCr is taken for, where that is another."""
    matrix, has_none = int(frame.colorspace), frame.format.is_rgb or len(frame.format.components) < 3
    if has_none or matrix in (_UNSAID, *_MATRICES):
        return ()
    return (f"the matrix of its colours, number {matrix} of H.273, is not known here: they may have changed",)


def _squared(aspect: Fraction) -> tuple[str, ...]:
    """What an image cannot say of the shape of its pixels."""
    if aspect == 1:
        return ()
    shape = f"{aspect.numerator}:{aspect.denominator}"
    return (f"its pixels, {shape} on the screen, became square: players show it {'wider' if aspect > 1 else 'higher'}",)

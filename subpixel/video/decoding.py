"""The frames of a video one after the other: in order, of one size, progressive, and what was lost on the way."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal

import av.error
import av.filter

from subpixel.video.damage import Damage, decoded
from subpixel.video.folder import decoded_images
from subpixel.video.planes import Plane, planes
from subpixel.video.source import SETTLING, Source, opened, told_by

_LOOKED_AT, _FEW, _SMALLEST = 120, 4, 144
"""Frames in which interlacing is looked for, those that have to be told, and the least rows of one: television has 480
and more, and what is reduced to fewer than this is taken for it where it has fine detail and pans."""
CLOSE = 1e-6
"""Seconds that two times may differ by and be one."""
_BRIEF = 0.5
"""Seconds that a file may be shorter than it says."""
_NEVER = -(2**63)
"""Before any time."""
REORDERED = 16
"""Frames among which the order of decoding may be another than that on the screen, in any codec."""

FieldOrder = Literal["tff", "bff"]


@dataclass(frozen=True)
class Frame:
    """Planes of the source's layout, at a time in ticks of the result."""

    pts: int
    planes: list[Plane]

    def crc(self) -> int:
        """Of the samples."""
        value = 0
        for plane in self.planes:
            value = zlib.crc32(plane.data, value)
        return value


class Frames:
    """The frames of a source from one time to another; afterwards `damage` tells what was lost, `ends` when they end.

    order: the first field where it is interlaced. fields: how many frames are made of one then. start, stop: seconds;
    a frame is in where its time is in start <= t < stop, and the one before where it stays longer than frames do: it
    begins at the start then. sought: seconds from where it is decoded.
    """

    def __init__(
        self,
        source: Source,
        order: FieldOrder | None = None,
        fields: int = 1,
        start: float = 0.0,
        stop: float | None = None,
        sought: float = 0.0,
    ) -> None:
        self.damage = Damage()
        self.ends: int | None = None
        """In ticks of the result, once all frames were given."""
        self._source, self._order, self._fields = source, order, fields
        self._start, self._stop, self._sought = start, stop, sought

    def __iter__(self) -> Iterator[Frame]:
        source, last, latest, shown = self._source, None, 0.0, None
        tick = source.time_base / self._fields
        for frame in self._progressive(decoded_frames(source, self.damage, self._sought)):
            if last is not None and frame.pts <= last:
                self.damage.disordered += 1
                continue
            last, latest = frame.pts, float(frame.pts * tick) - source.began
            if self._start and latest < self._start - CLOSE:
                shown = frame
                continue
            over = self._stop is not None and latest >= self._stop - CLOSE
            if shown and (over or latest - self._start > 1.5 / float(source.rate)):
                yield self._at_start(shown)
            if over:
                self.ends = self._ticks(self._stop or 0.0)
                return
            shown = None
            self.ends = frame.pts + self._lasts(frame)
            yield Frame(frame.pts, planes(frame, source.layout))
        if shown:
            self.ends = shown.pts + self._lasts(shown)
            yield self._at_start(shown)
        self._check_end(max(latest, float((self.ends or 0) * tick) - source.began))
        if self.ends and self._stop is not None:
            self.ends = min(self.ends, self._ticks(self._stop))

    def _at_start(self, shown: Any) -> Frame:
        """The frame that is on the screen where the part begins, which may be between two ticks."""
        return Frame(self._ticks(self._start, math.floor), planes(shown, self._source.layout))

    def _ticks(self, seconds: float, whole: Callable[[Any], int] = round) -> int:
        """When so many seconds from the beginning are over."""
        return whole((seconds + self._source.began) * self._fields / self._source.time_base)

    def _lasts(self, frame: Any) -> int:
        """How long a frame stays, as its packet says, or as long as frames do; bwdif halves it for fields."""
        said = round((frame.duration or 0) * (frame.time_base or 0) * self._fields / self._source.time_base)
        usual = max(1, round(1 / (self._source.rate * self._source.time_base)))
        return said or usual

    def _check_end(self, latest: float) -> None:
        duration, rate = self._source.duration, self._source.rate
        if duration is not None and self._stop is None:
            least = max(_BRIEF, 3 / rate)
            if self._source.is_files and duration - latest > least:
                latest = max(latest, _others_end(self._source, latest))
            self.damage.missing = duration - latest if duration - latest > least else 0.0

    def _progressive(self, frames: Iterator[Any]) -> Iterator[Any]:
        if self._order is None:
            yield from frames
            return
        mode = "send_field" if self._fields == 2 else "send_frame"
        graph: Any = None
        for frame in chain(frames, [None]):
            if frame is not None:
                graph = graph or _graph(self._source, frame.format, "bwdif", f"mode={mode}:parity={self._order}")
            if graph:
                graph.push(frame)
                yield from map(self._in_ticks, _pulled(graph))

    def _in_ticks(self, frame: Any) -> Any:
        """A frame at its time in ticks of the result: bwdif counts in halves of the source's, also for whole frames."""
        frame.pts = round(frame.pts * frame.time_base * self._fields / self._source.time_base)
        return frame


def decoded_frames(source: Source, damage: Damage, sought: float = 0.0) -> Iterator[Any]:
    """Frames of the source's size, each with a time, as the packets give them; `damage` counts the others.

    sought: seconds that may be skipped, where the container lands before them and not behind.
    """
    if source.images:
        yield from decoded_images(source, damage, sought)
        return
    if sought > SETTLING:
        with opened(source.path) as container:
            stream = container.streams[source.index]
            with suppress(av.error.FFmpegError):
                target = sought - SETTLING + source.began
                container.seek(int(target / stream.time_base), stream=stream, backward=True)
            frames = _decoded(container, source, damage)
            first = next(frames, None)
            if first is not None and float(first.pts * source.time_base) - source.began <= sought:
                yield first
                yield from frames
                return
        vars(damage).update(vars(Damage()))
    with opened(source.path) as container:
        yield from _decoded(container, source, damage)


class _Times:
    """When frames are shown, one after the other; step: how long one stays, where the next has no time."""

    def __init__(self, step: int) -> None:
        self._step, self._next, self._latest, self._turn, self._doubted = step, 0, _NEVER, _NEVER, 0

    def of(self, frame: Any) -> int:
        """Its own time; where such go back, as in AVI, which counts in the order of decoding, that of its packet.

        Those rise with the frames, as FFmpeg's best effort has it too; the last frames come without one.
        """
        time, turn = self._next if frame.pts is None else frame.pts, frame.dts
        rises = turn is None or turn > self._turn
        if turn is not None and rises:
            self._turn, self._doubted = turn, REORDERED if time <= self._latest else self._doubted
        if self._doubted and rises:
            self._doubted -= 1
            time = max(self._next if turn is None else turn, self._latest + 1)
        self._next, self._latest = time + self._step, max(self._latest, time)
        return time


def _decoded(container: Any, source: Source, damage: Damage) -> Iterator[Any]:
    stream = container.streams[source.index]
    stream.thread_type = "AUTO"
    times = _Times(max(1, round(1 / (source.rate * source.time_base))))
    for packet in _packets(container, stream, damage):
        frames = decoded(packet)
        damage.undecodable += frames is None
        for frame in frames or ():
            frame.pts, frame.time_base = times.of(frame), source.time_base
            if (frame.height, frame.width) == (source.height, source.width):
                damage.corrupt += frame.is_corrupt
                damage.retold += told_by(frame, stream.codec_context) != source.told
                yield frame
            else:
                damage.resized += 1


def _packets(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    """Packets as long as the file can be read."""
    try:
        yield from container.demux(stream)
    except av.error.FFmpegError:
        damage.undecodable += 1


def _others_end(source: Source, since: float) -> float:
    """The second in which the last of what is beside the video ends, of what begins after one of them."""
    last = 0.0
    with opened(source.path) as container, suppress(av.error.FFmpegError):
        container.seek(int((since + source.began) * 1e6))
        for packet in container.demux():
            if packet.pts is not None and packet.stream.index != source.index:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return last - source.began


def _graph(source: Source, format: Any, name: str, options: str = "") -> Any:
    """Frames through one filter."""
    graph = av.filter.Graph()
    buffer = graph.add_buffer(width=source.width, height=source.height, format=format, time_base=source.time_base)
    graph.link_nodes(buffer, graph.add(name, options), graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def field_order(source: Source) -> FieldOrder | None:
    """Which field of the first frames comes first, where most of them that can be told are interlaced.

    Without a verdict, as where it has too few rows for one, it is what the first frame says of itself.
    Source: FFmpeg's idet, which compares lines with those above and below, in the frame and in its neighbours.
    """
    if source.layout.is_rgb:
        return None
    counts = Counter(_idet(source) if source.height >= _SMALLEST else ())
    top, bottom, progressive = (counts[name] for name in ("tff", "bff", "progressive"))
    if top + bottom + progressive < _FEW:
        return "tff" if source.interlaced else None
    if top + bottom <= progressive:
        return None
    return "tff" if top >= bottom else "bff"


def _idet(source: Source) -> Iterator[str]:
    """What each of the first frames is."""
    graph: Any = None
    for frame in islice(decoded_frames(source, Damage()), _LOOKED_AT):
        graph = graph or _graph(source, frame.format, "idet")
        graph.push(frame)
        for judged in _pulled(graph):
            yield judged.metadata.get("lavfi.idet.multiple.current_frame", "undetermined")

"""The result's file: the new video, and every other stream of the source packet by packet."""

from __future__ import annotations

import heapq
import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition

from subpixel.errors import UnwritableImage
from subpixel.video.encoding import ENCODERS, Encoder
from subpixel.video.priority import own_priority
from subpixel.video.segments import Packet, Partial
from subpixel.video.source import Source, opened

_AS_GIVEN = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}
_NOT_OURS = {"encoder", "major_brand", "minor_version", "compatible_brands", "creation_time", "duration"}
"""Metadata that containers write themselves, in lower case."""
_CLOSE = 1e-6
"""Seconds."""
_RELATIVE = ("mpegts", "mpeg")
"""Containers whose first time says nothing."""


@dataclass(frozen=True)
class Cut:
    """Which part of the source is taken, in its own seconds; None for all there is at that end."""

    start: float | None = None
    stop: float | None = None

    @classmethod
    def of(cls, source: Source, start: float, stop: float | None) -> Cut:
        """start, stop: from the source's beginning."""
        is_cut = start > 0 or source.container in _RELATIVE
        return cls(source.began + start if is_cut else None, None if stop is None else source.began + stop)

    @property
    def zero(self) -> float:
        """The time that becomes 0."""
        return self.start or 0.0

    def holds(self, seconds: float) -> bool:
        """Whether a time lies in it, as closely as containers tell times."""
        after = self.start is None or seconds >= self.start - _CLOSE
        return after and (self.stop is None or seconds < self.stop - _CLOSE)


def _others(source: Source) -> AbstractContextManager[Any]:
    """The source's file, whose other streams are copied; None for a folder of images."""
    return nullcontext() if source.images else opened(source.path)


def streams_lost(source: Source, container: str) -> tuple[list[str], set[int]]:
    """What of a source's other streams a container has no room for, in words and by their numbers."""
    lost, numbers = list[str](), set[int]()
    with _others(source) as given:
        for stream in given.streams if given else ():
            if stream.index != source.index and not _fits(stream, container):
                codec = stream.codec_context.name if stream.codec_context else "unknown"
                lost.append(f"stream {stream.index} ({stream.type}, {codec})")
                numbers.add(stream.index)
    return lost, numbers


def _fits(stream: Any, container: str) -> bool:
    """Whether a container takes a stream: it is tried in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            _copied(trial, stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, TypeError, AttributeError):
        return False
    return True


def _copied(result: Any, stream: Any) -> Any:
    """A stream of the result for the packets of one of the source."""
    if stream.type == "attachment":
        copied = result.add_attachment(stream.name, stream.mimetype, stream.data)
        copied.metadata.update(stream.metadata)
        return copied
    copied = result.add_stream_from_template(stream, opaque=True)
    copied.metadata.update(_kept(stream.metadata))
    copied.disposition = stream.disposition
    return copied


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if name.lower() not in _NOT_OURS}


def join(
    source: Source, target: Path, container: str, encoder: Encoder, partial: Partial, cut: Cut, lost: set[int]
) -> int:
    """Writes the result from its segments and reads it again; returns how many frames it has.

    lost: the numbers of streams that are left out.
    Raises: UnwritableImage, also where what was written is not what was to be.
    """
    times = partial.times()
    try:
        options = _AS_GIVEN | _timescale(container, encoder)
        with _others(source) as given, av.open(str(target), "w", format=container, options=options) as result:
            video, copies = _streams(result, given, source, encoder, cut, lost)
            with own_priority():
                result.start_encoding()
            ours = _video_packets(partial.packets(), times, video, encoder, cut)
            _mux(result, ours, _other_packets(given, copies, cut))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnwritableImage(partial.target, str(getattr(error, "strerror", None) or error).lower()) from error
    if wrong := _wrong(target, times, encoder, cut):
        raise UnwritableImage(partial.target, wrong)
    return len(times)


def _timescale(container: str, encoder: Encoder) -> dict[str, str]:
    """MP4 and MOV say when a stream begins in a unit of the whole film: the video's, not milliseconds."""
    return {"movie_timescale": str(encoder.time_base.denominator)} if container in ("mp4", "mov") else {}


def _streams(
    result: Any, given: Any, source: Source, encoder: Encoder, cut: Cut, lost: set[int]
) -> tuple[Any, dict[int, Any]]:
    """The result's streams in the order of the source's: the video, and the others by their numbers there."""
    if given is None:
        return _video(result, source, encoder), {}
    result.metadata.update(_kept(given.metadata))
    result.set_chapters(list(_chapters(given, cut)))
    video, copies = None, dict[int, Any]()
    for stream in given.streams:
        if stream.index == source.index:
            video = _video(result, source, encoder)
            video.metadata.update(_kept(stream.metadata))
            video.disposition = stream.disposition
        elif stream.index not in lost:
            copies[stream.index] = _copied(result, stream)
    return video, copies


def _video(result: Any, source: Source, encoder: Encoder) -> Any:
    video = result.add_stream(ENCODERS[encoder.codec], rate=encoder.rate, options=dict(encoder.options))
    encoder.configure(video.codec_context)
    video.time_base = encoder.time_base
    if source.rotation:
        video.set_display_matrix(struct.unpack("=9i", source.rotation))
    return video


def _chapters(given: Any, cut: Cut) -> Iterator[Any]:
    for chapter in given.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        first, last = (max(float(chapter[name] * base) - cut.zero, 0.0) for name in ("start", "end"))
        last = last if cut.stop is None else min(last, cut.stop - cut.zero)
        if first < last:
            yield chapter | {"start": round(first / base), "end": round(last / base), "time_base": base}


def decode_times(times: Sequence[int], step: int) -> list[int]:
    """When each packet is decoded, from when they are shown, in the order of decoding: rising, and never too late.

    step: the usual distance of two frames, before the first.
    """
    shown = sorted(times)
    place = {time: k for k, time in enumerate(shown)}
    delay = max((k - place[time] for k, time in enumerate(times)), default=0)
    before = [shown[0] - step * k for k in range(delay, 0, -1)] if shown else []
    return [*before, *shown][: len(shown)]


def _video_packets(
    packets: Iterable[Packet], times: Sequence[int], video: Any, encoder: Encoder, cut: Cut
) -> Iterator[Any]:
    step = max(1, round(1 / (encoder.rate * encoder.time_base)))
    shown, shift = sorted(times), round(cut.zero / encoder.time_base)
    lasting = {a: b - a for a, b in pairwise(shown)}
    for packet, dts in zip(packets, decode_times(times, step), strict=True):
        written = av.Packet(packet.data)
        written.stream, written.time_base = video, encoder.time_base
        written.pts, written.dts = packet.pts - shift, dts - shift
        written.duration, written.is_keyframe = lasting.get(packet.pts, step), packet.is_key
        yield written


def _other_packets(given: Any, copies: dict[int, Any], cut: Cut) -> Iterator[Any]:
    """What is copied, as long as the source can be read."""
    others = given.streams if given else ()
    streams = [stream for stream in others if stream.index in copies and stream.type != "attachment"]
    packets = given.demux(streams) if streams else iter(())
    with suppress(av.error.FFmpegError):
        for packet in packets:
            if packet.size and _placed(packet, cut):
                packet.stream = copies[packet.stream.index]
                yield packet


def _placed(packet: Any, cut: Cut) -> bool:
    """Whether a packet is in the part that is taken; its times become those of the result."""
    if packet.stream.disposition & Disposition.attached_pic:
        packet.pts = packet.dts = 0
        return True
    begin = packet.dts if packet.pts is None else packet.pts
    if begin is None or not cut.holds(float(begin * packet.time_base)):
        return False
    shift = round(cut.zero / packet.time_base)
    packet.pts, packet.dts = begin - shift, (begin if packet.dts is None else packet.dts) - shift
    return True


def _mux(result: Any, *sources: Iterator[Any]) -> None:
    """Packets in the order of their times."""
    for packet in heapq.merge(*sources, key=lambda packet: packet.dts * packet.time_base):
        result.mux_one(packet)


def _wrong(target: Path, times: Sequence[int], encoder: Encoder, cut: Cut) -> str:
    """What there is to say where number or times of the frames are not those that were to be."""
    with opened(target) as written:
        stream = next(s for s in written.streams.video if not s.disposition & Disposition.attached_pic)
        written_times = sorted(packet.pts for packet in written.demux(stream) if packet.pts is not None)
        base = stream.time_base
    shown, shift = sorted(times), round(cut.zero / encoder.time_base)
    expected = [float((time - shift) * encoder.time_base) for time in shown]
    late = [abs(float(pts * base) - time) for pts, time in zip(written_times, expected, strict=False)]
    right = len(written_times) == len(expected) and max(late, default=0.0) <= float(base) + 1e-9
    return "" if right else f"{len(written_times)} of {len(expected)} frames were found in it, or at other times"

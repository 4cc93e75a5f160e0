"""The result's file: the new video, and every other stream of the source packet by packet."""

from __future__ import annotations

import heapq
import io
import math
import os
import struct
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition

from subpixel.errors import UnwritableImage
from subpixel.video import copying
from subpixel.video.copying import FINE, Cut, LeftOut
from subpixel.video.encoding import ENCODERS, Encoder
from subpixel.video.priority import own_priority
from subpixel.video.segments import Packet, Partial
from subpixel.video.source import Source, opened

_AS_GIVEN = {"fflags": "+bitexact", "avoid_negative_ts": "disabled"}


def rehearse(source: Source, container: str, encoder: Encoder, cut: Cut, left_out: LeftOut) -> LeftOut:
    """Begins the result in memory, so that what a container refuses is known before the work; returns what stays out.

    Raises: UnwritableImage, and BadRequest for what the encoder does not take.
    """
    encoder.open()
    for left in (left_out, replace(left_out, texts=frozenset({"timecode"}))):
        try:
            with _begun(io.BytesIO(), source, container, encoder, cut, left):
                return left
        except (av.error.FFmpegError, ValueError) as error:
            refused = error
    raise UnwritableImage(f"{source.path} as {container}", _reason(refused)) from refused


def join(
    source: Source, target: Path, container: str, encoder: Encoder, partial: Partial, cut: Cut, left_out: LeftOut
) -> int:
    """Writes the result from its segments and reads it again.

    Returns how many packets of the other streams the container has refused, as it does where a part of one is missing,
    or its time has passed.
    Raises: UnwritableImage, also where what was written is not what was to be.
    """
    times = partial.times()
    try:
        with _begun(os.path.abspath(target), source, container, encoder, cut, left_out) as (result, video, others):
            ours = _video_packets(partial.packets(), times, partial.ends(), video, encoder, cut)
            refused = _mux(result, video, ours, others)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise UnwritableImage(partial.target, _reason(error)) from error
    if wrong := _wrong(target, times, encoder, cut):
        raise UnwritableImage(partial.target, wrong)
    return refused


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


@contextmanager
def _begun(
    place: Any, source: Source, container: str, encoder: Encoder, cut: Cut, left_out: LeftOut
) -> Generator[tuple[Any, Any, Iterator[Any]]]:
    """The result with its header, the video in it, and the packets that are copied."""
    options = _AS_GIVEN | _timescale(container, cut.base(encoder.time_base))
    with copying.others(source) as given, av.open(place, "w", format=container, options=options) as result:
        video, copies = _streams(result, given, source, encoder, cut, left_out)
        with own_priority():
            result.start_encoding()
        yield result, video, copying.packets(given, copies, cut)


def _timescale(container: str, base: Fraction) -> dict[str, str]:
    """MP4 and MOV say when a stream begins in a unit of the whole film: the video's, or a part of it."""
    fine = base.denominator * math.ceil(FINE / base.denominator)
    return {"movie_timescale": str(fine)} if container in ("mp4", "mov") else {}


def _streams(
    result: Any, given: Any, source: Source, encoder: Encoder, cut: Cut, left_out: LeftOut
) -> tuple[Any, dict[int, Any]]:
    """The result's streams in the order of the source's: the video, and the others by their numbers there."""
    if given is None:
        return _video(result, source, encoder, cut), {}
    result.metadata.update(_without(copying.texts(given.metadata), left_out))
    chapters = list(copying.chapters(given, cut))
    result.set_chapters(_placed(chapters) if result.format.name in ("mp4", "mov") else chapters)
    video, copies = None, dict[int, Any]()
    for stream in given.streams:
        if stream.index == source.index:
            video = _video(result, source, encoder, cut)
            video.metadata.update(_without(copying.texts(stream.metadata), left_out))
            video.disposition = stream.disposition
        elif stream.index not in left_out.streams:
            copies[stream.index] = copying.copied(result, stream, cut)
    return video, copies


def _placed(chapters: list[Any]) -> list[Any]:
    """What comes before the first is a chapter without a title, or MP4 and MOV move the first to 0."""
    first = chapters[0] if chapters else {"start": 0}
    before = first | {"id": 1, "start": 0, "end": first["start"], "metadata": {"title": ""}}
    numbered = [chapter | {"id": k} for k, chapter in enumerate(chapters, 2)]
    return [before, *numbered] if first["start"] else chapters


def _without(texts: dict[str, str], left_out: LeftOut) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name.lower() not in left_out.texts}


def _video(result: Any, source: Source, encoder: Encoder, cut: Cut) -> Any:
    video = result.add_stream(ENCODERS[encoder.codec], rate=encoder.rate, options=dict(encoder.options))
    encoder.configure(video.codec_context)
    video.time_base = cut.base(encoder.time_base)
    if encoder.codec == "h265" and result.format.name in ("mp4", "mov"):
        video.codec_context.codec_tag = "hvc1"  # its parameter sets are in the header; QuickTime plays no hev1
    if source.rotation:
        video.set_display_matrix(struct.unpack("=9i", source.rotation))
    return video


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
    packets: Iterable[Packet], times: Sequence[int], ends: int | None, video: Any, encoder: Encoder, cut: Cut
) -> Iterator[Any]:
    step = max(1, round(1 / (encoder.rate * encoder.time_base)))
    shown, base = sorted(times), cut.base(encoder.time_base)
    ends = ends if ends and ends > shown[-1] else shown[-1] + step
    lasting = {a: b - a for a, b in pairwise([*shown, ends])}
    for packet, dts in zip(packets, decode_times(times, step), strict=True):
        written = av.Packet(packet.data)
        written.stream, written.time_base = video, base
        written.pts, written.dts = _shown(packet.pts, encoder, cut), cut.moved(dts, encoder.time_base)
        written.duration = lasting[packet.pts] * round(encoder.time_base / base)
        written.is_keyframe = packet.is_key
        yield written


def _shown(ticks: int, encoder: Encoder, cut: Cut) -> int:
    """When a frame is shown in the result; the one that is there where a part begins, from then on."""
    moved = cut.moved(ticks, encoder.time_base)
    return moved if cut.start is None else max(0, moved)


def _mux(result: Any, video: Any, *sources: Iterator[Any]) -> int:
    """Packets in the order of their times; how many of other streams were refused."""
    refused = 0
    for packet in heapq.merge(*sources, key=lambda packet: packet.dts * packet.time_base):
        is_ours = packet.stream is video
        try:
            result.mux_one(packet)
        except (av.error.InvalidDataError, av.error.ArgumentError):
            if is_ours:
                raise
            refused += 1
    return refused


def _wrong(target: Path, times: Sequence[int], encoder: Encoder, cut: Cut) -> str:
    """What there is to say where number or times of the frames are not those that were to be."""
    with opened(target) as written:
        stream = next(s for s in written.streams.video if not s.disposition & Disposition.attached_pic)
        written_times = sorted(packet.pts for packet in written.demux(stream) if packet.pts is not None)
        base = stream.time_base
    expected = [float(_shown(time, encoder, cut) * cut.base(encoder.time_base)) for time in sorted(times)]
    late = [abs(float(pts * base) - time) for pts, time in zip(written_times, expected, strict=False)]
    right = len(written_times) == len(expected) and max(late, default=0.0) <= float(base) + 1e-9
    return "" if right else f"{len(written_times)} of {len(expected)} frames were found in it, or at other times"

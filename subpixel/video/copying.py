"""What is taken from a source as it is: its other streams packet by packet, its texts, and its chapters."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, repeat
from typing import Any

import av
import av.error
from av.stream import Discard, Disposition

from subpixel.video.decoding import REORDERED
from subpixel.video.encoding import FOLDER
from subpixel.video.source import LATEST, MOST, Source, is_known, opened

_NOT_OURS = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration", "alpha_mode"}
"""Metadata that containers write themselves, or that were true of the source's coding, in lower case."""
_COUNTED = ("bps", "number_of_", "_statistics_")
"""How Matroska's statistics of a stream begin."""
_UNHEARD = f"which does not begin in the first {LATEST} s, or {MOST} MiB: it is not known what it is"
_CLOSE = 1e-6
"""Seconds."""
FINE = 10_000
"""Ticks a second by which sound and frames stay together."""
_MILLISECOND = Fraction(1, 1000)
_TOLD_OTHERWISE = {"language", "timecode", "handler_name", "vendor_id"}
"""Texts that are told in another way, or that nobody reads."""
_RELATIVE = ("mpegts", "mpeg")
"""Containers whose first time says nothing."""
_SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt", "matroska": "subrip"}
"""Container -> a codec whose packets are text, by which it is tried."""


@dataclass(frozen=True)
class Cut:
    """Which part of the source is taken, in its own seconds; None for all there is at that end."""

    zero: float = 0.0
    """The time that becomes 0."""
    start: float | None = None
    stop: float | None = None

    @classmethod
    def of(cls, source: Source, start: float, stop: float | None) -> Cut:
        """start, stop: from the source's beginning."""
        first = source.began + start
        zero = first if start > 0 or source.container in _RELATIVE else 0.0
        return cls(zero, first if start > 0 else None, None if stop is None else source.began + stop)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut off."""
        return self.start is None and self.stop is None

    def base(self, given: Fraction) -> Fraction:
        """In what times of that base are counted in the result: zero is none of the times of a coarse one."""
        ticks = self.zero / given
        return given if abs(ticks - round(ticks)) * given < _CLOSE else given / math.ceil(given * FINE)

    def moved(self, ticks: int, given: Fraction) -> int:
        """A time of the source as one of the result, in its `base`."""
        base = self.base(given)
        return ticks * round(given / base) - round(self.zero / base)

    def holds(self, seconds: float) -> bool:
        """Whether a time lies in it, as closely as containers tell times."""
        after = self.start is None or seconds >= self.start - _CLOSE
        return after and (self.stop is None or seconds < self.stop - _CLOSE)


@dataclass(frozen=True)
class LeftOut:
    """What of a source is not copied: streams by their numbers, and texts by their names."""

    streams: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()


def others(source: Source) -> AbstractContextManager[Any]:
    """The source's file, whose other streams are copied; None for a folder of images."""
    return nullcontext() if source.images else opened(source.path, source.late)


def streams_lost(source: Source, container: str) -> tuple[list[str], LeftOut]:
    """What of a source's other streams cannot be copied to a container, and why, and all that stay out."""
    lost, numbers = list[str](), set[int]()
    with others(source) as given:
        for stream in given.streams if given else ():
            if stream.index == source.index or (not (remade := _is_remade(stream)) and _fits(stream, container)):
                continue
            numbers.add(stream.index)
            if not remade:
                codec = stream.codec_context.name if stream.codec_context else "unknown"
                why = f"which {container} cannot hold" if is_known(stream) else _UNHEARD
                lost.append(f"stream {stream.index} ({stream.type}, {codec}), {why}")
    return lost, LeftOut(frozenset(numbers))


def _is_remade(stream: Any) -> bool:
    """Whether MP4 or MOV keep in it what is told otherwise: the titles of chapters, or the timecode of the video."""
    return stream.type == "data" and (stream.discard == Discard.all or "timecode" in stream.metadata)


def _fits(stream: Any, container: str) -> bool:
    """Whether a container takes a stream: it is tried in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            copied(trial, stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, TypeError, AttributeError):
        return False
    return True


def copied(result: Any, stream: Any, cut: Cut = Cut()) -> Any:
    """A stream of the result for the packets of one of the source."""
    if stream.type == "attachment":
        attached = result.add_attachment(stream.name, stream.mimetype, stream.data)
        attached.metadata.update(stream.metadata)
        return attached
    made = result.add_stream_from_template(stream, opaque=True)
    made.metadata.update(texts(stream.metadata, counted=cut.is_whole))
    made.disposition = stream.disposition
    return made


def texts(metadata: Mapping[str, str], counted: bool = False) -> dict[str, str]:
    """What of the metadata is true of the result; counted: also numbers of bytes and of packets."""
    true = {
        name: text
        for name, text in metadata.items()
        if name.lower() not in _NOT_OURS and (counted or not name.lower().startswith(_COUNTED))
    }
    return ({"title": true["name"]} if "name" in true else {}) | true  # as MP4 calls the title of a stream


def texts_lost(source: Source, container: str, left_out: LeftOut) -> list[str]:
    """What a container has no room for of texts, chapters and languages: they are written and read again, in memory."""
    with others(source) as given:
        if given is None:
            return []
        kept = [
            stream for stream in given.streams if stream.index not in left_out.streams and stream.type != "attachment"
        ]
        found, whole = given.chapters(), texts(given.metadata)
        of_chapters = {name: text for chapter in found for name, text in chapter["metadata"].items() if text}
        own = [dict(texts(stream.metadata).items() - whole.items()) for stream in kept]
        wanted = [whole, of_chapters, *own]
        places = ["", " of the chapters", *(f" of stream {stream.index}" for stream in kept)]
    if container == FOLDER:
        wanted[1] = {}  # chapters are lost as a whole
        return [*chain(*map(_lost, wanted, repeat({}), places)), *(["the chapters"] if found else [])]
    return list(chain(*map(_lost, wanted, _read_again(wanted, container), places)))


def texts_moved(source: Source, cut: Cut) -> frozenset[str]:
    """The timecode, which would be that of a frame that is cut off."""
    with others(source) as given:
        names = {name.lower() for part in ((given, *given.streams) if given else ()) for name in part.metadata}
    return frozenset(names & {"timecode"} if cut.start is not None else ())


def _lost(wanted: dict[str, str], found: dict[str, str], place: str) -> Iterator[str]:
    have = {_as_matroska(name) for name in texts(found)} | _TOLD_OTHERWISE
    if names := sorted(name for name in wanted if _as_matroska(name) not in have):
        yield f"the texts {', '.join(names)}{place}"
    language = wanted.get("language", "und")
    if language != found.get("language", "und"):
        yield f"the language {language}{place}"


def _as_matroska(name: str) -> str:
    return name.lower().replace(" ", "_")


def _read_again(wanted: list[dict[str, str]], container: str) -> list[dict[str, str]]:
    """What comes back from a container of the texts of a file, of its chapters, and of each stream."""
    trial, (whole, of_chapters, *of_streams) = io.BytesIO(), wanted
    with av.open(trial, "w", format=container, options={"fflags": "+bitexact"}) as file:
        file.metadata.update(whole)
        file.set_chapters([{"id": 1, "start": 0, "end": 1, "time_base": _MILLISECOND, "metadata": of_chapters}])
        streams = [file.add_mux_stream(_SUBTITLES[container]) for _ in of_streams]
        for stream, said in zip(streams, of_streams, strict=True):
            stream.time_base = _MILLISECOND
            stream.metadata.update(said)
        file.start_encoding()
        for stream in streams:
            packet = av.Packet(b"\0\1a")
            packet.stream, packet.time_base = stream, _MILLISECOND
            packet.pts, packet.dts, packet.duration = 0, 0, 1
            file.mux_one(packet)
    with av.open(io.BytesIO(trial.getvalue())) as file:
        made = [dict(stream.metadata) for stream in file.streams][: len(streams)]
        told = next((chapter["metadata"] for chapter in file.chapters()), dict[str, str]())
        return [dict(file.metadata), told, *made]


def chapters(given: Any, cut: Cut) -> Iterator[Any]:
    """The chapters of a source at their times in the result."""
    for chapter in given.chapters():
        base = chapter["time_base"] or _MILLISECOND
        first, last = (max(float(chapter[name] * base) - cut.zero, 0.0) for name in ("start", "end"))
        last = last if cut.stop is None else min(last, cut.stop - cut.zero)
        if first < last:
            yield chapter | {"start": round(first / base), "end": round(last / base), "time_base": base}


def packets(given: Any, copies: dict[int, Any], cut: Cut) -> Iterator[Any]:
    """What is copied, as long as the source can be read."""
    streams = [s for s in (given.streams if given else ()) if s.index in copies and s.type != "attachment"]
    for packet in _with_decode_times(_readable(given, streams)) if streams else ():
        if not _is_gap(packet) and _placed(packet, cut):
            packet.stream = copies[packet.stream.index]
            yield packet


def _readable(given: Any, streams: list[Any]) -> Iterator[Any]:
    with suppress(av.error.FFmpegError):
        for packet in given.demux(streams):
            if packet.size:
                yield packet


def _with_decode_times(found: Iterator[Any]) -> Iterator[Any]:
    """Each packet with when it is decoded, which Matroska does not say before frames are in another order."""
    waiting = defaultdict[int, list[Any]](list)
    for packet in found:
        held = waiting[packet.stream.index]
        held.append(packet)
        if packet.dts is not None or len(held) > REORDERED:
            yield from _decoded_in_turn(held)
            held.clear()
    for held in waiting.values():
        yield from _decoded_in_turn(held)


def _decoded_in_turn(held: list[Any]) -> list[Any]:
    """The same, each to be decoded before the next, and not after it is shown."""
    later: int | None = None
    for packet in reversed(held):
        if packet.dts is None and packet.pts is not None:
            in_order = packet.pts if later is None else min(packet.pts, later)
            packet.dts = in_order if in_order != later else in_order - max(1, packet.duration or 0)
        later = packet.dts
    return held


def _still_there(packet: Any, begin: int, cut: Cut) -> int:
    """When a subtitle begins: where the part does, if it is on the screen then, for the rest of its time."""
    start = begin if cut.start is None else math.ceil(cut.start / packet.time_base)
    end = begin + (packet.duration or 0)
    if not begin < start < end:
        return begin
    packet.dts, packet.duration = start, end - start
    return start


def _is_gap(packet: Any) -> bool:
    """Whether it is what MP4 and MOV have between two texts, which they write themselves."""
    codec = packet.stream.codec_context  # None where nobody decodes such a stream
    return packet.size == 2 and bytes(packet) == b"\0\0" and codec is not None and codec.name == "mov_text"


def _placed(packet: Any, cut: Cut) -> bool:
    """Whether a packet is in the part that is taken; its times become those of the result."""
    if packet.stream.disposition & Disposition.attached_pic:
        packet.pts = packet.dts = 0
        return True
    begin = packet.dts if packet.pts is None else packet.pts
    if begin is not None and packet.stream.type == "subtitle":
        begin = _still_there(packet, begin, cut)
    if begin is None or not cut.holds(float(begin * packet.time_base)):
        return False
    given, decoded = packet.time_base, begin if packet.dts is None else packet.dts
    packet.pts, packet.dts = cut.moved(begin, given), cut.moved(decoded, given)
    lasts = packet.duration or int(packet.stream.type == "data")  # players of MOV skip a last one that has no length
    packet.duration, packet.time_base = lasts * round(given / cut.base(given)), cut.base(given)
    return True

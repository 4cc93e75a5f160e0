"""From a video to a larger one, segment by segment: what is interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import av
import av.error

from subpixel import __version__, atomic
from subpixel.analysis import DegradationReport
from subpixel.errors import BadRequest, DataError, SubpixelError, UnreadableImage, UnwritableImage, unwritten
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Finished, Progress
from subpixel.jobs.targets import check_target
from subpixel.video import copying, muxing, numbered
from subpixel.video.damage import Damage
from subpixel.video.decoder_log import DecoderLog
from subpixel.video.decoding import FieldOrder, Frame, Frames, field_order
from subpixel.video.encoding import FOLDER, Coding, Encoder, codec_of, container_of, encoder, layout_of
from subpixel.video.enlarging import FrameUpscaler
from subpixel.video.folder import probe_folder
from subpixel.video.numbered import NumberedImages
from subpixel.video.pipeline import prefetch
from subpixel.video.planes import Plane
from subpixel.video.planning import (
    flickering,
    frames_of,
    look,
    lost_in_pixels,
    mistaken,
    neighbours,
    of_part,
    of_size,
    unused,
)
from subpixel.video.recurrence import WARMING
from subpixel.video.request import VideoRequest
from subpixel.video.resumption import Resumed
from subpixel.video.segments import SECONDS, End, Partial, Segment, is_begun
from subpixel.video.source import Source, probe

_ENDS = 2**20
"""Bytes at both ends of a source by which it is known again."""
_NO_FRAME = "no frame of it, or of the part that was asked for, can be decoded"


@dataclass(frozen=True)
class Started:
    """Told once, before the work begins."""

    description: str
    """What is done, with what, and how it is encoded."""
    frames: int | None
    """Of the result, about; None where the file does not say."""
    seconds: float | None
    """How long it will take."""
    warnings: tuple[str, ...]
    """What cannot be kept, or will not be as good as it could."""
    resumed: int = 0
    """Frames that an earlier run has made."""


_USUAL = VideoRequest.parse({})
Event = Started | Progress | Finished


def upscale(
    source: str | Path, target: str | Path, request: VideoRequest = _USUAL, overwrite: bool = False
) -> Generator[Event]:
    """Enlarges a video, or a folder of frames; tells what it will do, of each frame, and how it ended.

    The target is a video, or a folder of PNGs. overwrite: a video that is there is replaced, not refused.
    The result appears when it is complete. Until then `TARGET.partial/` holds what is done, from which the same call
    goes on, to the same bytes. The last event is `Finished`: its `error` says which part of the source could not be
    used, where the rest was kept, its `note` what was lost.
    Raises: UnreadableImage where nothing can be decoded; UnwritableImage, BadRequest, and what `Upscaler` raises.
    """
    source, target = Path(source), Path(target)
    if target.exists() and source.exists() and target.samefile(source):
        raise BadRequest(f"{target} is the input and would be overwritten; name another file")
    container = container_of(target)
    if container != FOLDER:
        check_target(target, overwrite or is_begun(target))
    work = _Work.of(_probed(source, request), target, request, container)
    yield from work.run()


def _probed(path: Path, request: VideoRequest) -> Source:
    if path.is_dir():
        return probe_folder(path, request.fps)
    if request.fps is not None:
        raise BadRequest(f"{path} has its own times; frames a second (--fps) are for a folder of images")
    return probe(path)


@dataclass(frozen=True)
class _Work:
    """All that is decided before the first segment."""

    source: Source
    target: Path
    request: VideoRequest
    container: str
    order: FieldOrder | None
    larger: FrameUpscaler
    encoder: Encoder
    cut: copying.Cut
    warnings: tuple[str, ...]
    left_out: copying.LeftOut

    @classmethod
    def of(cls, source: Source, target: Path, request: VideoRequest, container: str) -> _Work:
        request = of_part(request, source)
        order = None if request.deinterlace == "off" else field_order(source)
        fields = 2 if order and request.deinterlace == "field" else 1
        codec = codec_of(request, source, container)
        upscaler, resized = of_size(request, source, codec)
        report = look(source) if upscaler.inspects else DegradationReport()
        larger = FrameUpscaler(upscaler, source, layout_of(codec, source.layout), report, neighbours(source))
        coding = encoder(request, source, container, (larger.height, larger.width), fields)
        lost, left_out = copying.streams_lost(source, container)
        no_room = copying.texts_lost(source, container, left_out)
        cut = copying.Cut.of(source, request.start, request.stop)
        moved = frozenset[str]()
        if container != FOLDER:
            moved = copying.texts_moved(source, cut)
            left_out = muxing.rehearse(source, container, coding, cut, replace(left_out, texts=moved))
            no_room += [f"the {text}" for text in left_out.texts - moved]
        warnings = [
            *lost_in_pixels(source, coding, request),
            *source.dropped,
            *lost,
            *(f"{name}, which {container} cannot hold" for name in no_room),
            *(f"the {text}, which is that of the source's first frame" for text in moved),
            *(numbered.lost_in_images(source) if container == FOLDER else ()),
        ]
        warnings = [f"not kept: {what}" for what in dict.fromkeys(warnings)]
        warnings += resized + unused(request, coding) + flickering(larger)
        warnings += mistaken(source, larger.restores or container == FOLDER)
        return cls(source, target, request, container, order, larger, coding, cut, tuple(warnings), left_out)

    @property
    def _job(self) -> Job:
        return Job(str(self.source.path), str(self.target))

    def run(self) -> Generator[Event]:
        identity = self._identity()
        partial = Partial(self.target, identity)
        if self.container == FOLDER:
            numbered.check_free(self.target, partial)
        partial.begin()
        with atomic.claimed(partial.folder / "job") as is_ours:
            if not is_ours:
                raise BadRequest(f"{self.target} is being made by another process; wait for it, or name another file")
            yield from self._made(partial, identity["source"])

    def _made(self, partial: Partial, fingerprint: str) -> Generator[Event]:
        ends = partial.begin()
        try:
            yield self._started(sum(end.frames for end in ends))
            frames = self._frames(ends[-1].tail if ends else None)
            yield from self._listened(self._encoded(frames, partial, ends), frames.damage)
            if not partial.frames():
                raise UnreadableImage(self.source.path, _NO_FRAME)
            if _fingerprint(self.source) != fingerprint:
                raise UnreadableImage(self.source.path, "it has become another while it was read; begin anew")
            frames.damage.refused = self._complete(partial)
        finally:
            partial.remove_if_empty()
        partial.remove()
        damage = frames.damage
        kept = f"{self.source.path}: {damage}; what could be decoded is in {self.target}"
        yield Finished(self._job, "; ".join(self.warnings) or None, DataError(kept) if damage else None)

    def _listened(self, events: Generator[Event], damage: Damage) -> Generator[Event]:
        """The events, while it is listened to what is wrong with a file."""
        if self.source.images:
            yield from events
            return
        with DecoderLog(self.source, self.request.start, self.request.stop) as complaints, closing(events):
            yield from events
            damage.corrupt = max(damage.corrupt, complaints.frames())

    def _complete(self, partial: Partial) -> int:
        """Lets the result appear; how many packets of other streams it has not taken."""
        if self.container == FOLDER:
            numbered.appear(partial, self.target)
            return 0
        with _told(self.target), atomic.replacing(self.target) as part:
            refused = muxing.join(self.source, part, self.container, self.encoder, partial, self.cut, self.left_out)
            atomic.resemble(part, self.target, self.source.path)
        return refused

    def _started(self, resumed: int) -> Started:
        total, each = self._total(), self._seconds_a_frame()
        left = None if total is None else max(0, total - resumed) * each
        pixels = "" if self.container == FOLDER else f", {self.encoder.layout.name}"
        how = f"{self.encoder.codec}{pixels}, in {self.container}"
        what = [self.larger.describe(), *(["deinterlaced"] if self.order else []), how]
        what[:0] = ["on its side"] if self.source.is_turned else []
        return Started("; ".join(what), total, left, self.warnings, resumed)

    def _total(self) -> int | None:
        """Frames of the result, about."""
        length = self.source.duration
        return None if length is None else frames_of(self.request, length, self.encoder.rate)

    def _seconds_a_frame(self) -> float:
        frame = next(iter(self._opened(self.request.start)), None)
        if frame is None:
            raise UnreadableImage(self.source.path, _NO_FRAME)
        self.larger(frame.planes)  # the first one compiles
        self.larger.begin([frame.planes] * 2)  # and what is carried on, the second
        began = time.perf_counter()
        self.larger(frame.planes)
        return time.perf_counter() - began

    def _opened(self, sought: float) -> Frames:
        fields = round(self.source.time_base / self.encoder.time_base)
        return Frames(self.source, self.order, fields, self.request.start, self.request.stop, sought)

    def _frames(self, tail: list[list[int]] | None) -> Resumed:
        base, began = self.encoder.time_base, self.source.began
        sought = float(tail[0][0] * base) - began if tail else self.request.start
        return Resumed(self._opened(sought), self._opened(self.request.start), tail)

    def _encoded(self, frames: Resumed, partial: Partial, ends: list[End]) -> Generator[Event]:
        """Makes one segment after the other of the frames that no earlier run has done."""
        vars(frames.damage).update(ends[-1].damage if ends else {})
        with closing(prefetch(frames)) as decoded:
            first = next(decoded, None)
            if first is None:
                return
            origin = ends[-1].origin if ends else first.pts
            enlarged = self._enlarged(chain([first], decoded), origin, frames.before)
            with closing(prefetch(enlarged)) as results:
                for number, group in groupby(results, lambda item: self._segment(item[0].pts - origin)):
                    yield from self._segment_of(group, partial, number, origin, frames)

    def _enlarged(
        self, frames: Iterator[Frame], origin: int, before: Iterable[Frame]
    ) -> Iterator[tuple[Frame, list[Plane]]]:
        """Each frame with its planes; what is carried on begins anew with each segment, from the frames before it."""
        recent = deque(before, WARMING)
        for _, segment in groupby(frames, lambda frame: self._segment(frame.pts - origin)):
            self.larger.begin([frame.planes for frame in recent])
            recent.clear()
            for frame in segment:
                recent.append(frame)
                yield frame, self.larger(frame.planes)

    def _segment(self, ticks: int) -> int:
        return int(ticks * self.encoder.time_base // SECONDS)

    def _coding(self, partial: Partial) -> Coding | NumberedImages:
        if self.container == FOLDER:
            return NumberedImages(partial.images, self.source, self.encoder.layout, partial.frames())
        return self.encoder.open()

    def _segment_of(
        self, group: Iterator[tuple[Frame, list[Plane]]], partial: Partial, number: int, origin: int, frames: Resumed
    ) -> Generator[Event]:
        coding, path = self._coding(partial), partial.path(number)
        with _told(path), atomic.replacing(path) as part, part.open("wb") as file:
            segment = Segment(file, number, origin)
            for frame, planes in group:
                segment.saw(frame)
                segment.write(coding.encode(frame, planes))
                yield self._progress()
            segment.write(coding.finish())
            segment.close(frames.damage, frames.ends)

    def _progress(self) -> Progress:
        total = self._total()
        return Progress(self._job, self.larger.height * self.larger.width, 1 / total if total else 0.0, "")

    def _identity(self) -> dict[str, Any]:
        """What the bytes of the result depend on."""
        return {
            "version": f"subpixel {__version__}, av {av.__version__}, {self._runtimes()}",
            "source": _fingerprint(self.source),
            "request": self.request.model_dump(mode="json"),
            "model": hashlib.blake2b(self.request.identity.encode(), digest_size=16).hexdigest(),
            "threads": self.encoder.threads,
        }

    def _runtimes(self) -> str:
        names = dict.fromkeys(step.runtime.name for step in self.larger.plan.steps)
        return ", ".join(f"{name} {version(name)}" for name in names)


@contextmanager
def _told(path: Path) -> Generator[None]:
    """Says of which file it is that the disk fails, where nobody has said it yet. Raises: UnwritableImage."""
    try:
        yield
    except OSError as error:
        if isinstance(error, av.error.FFmpegError | SubpixelError):
            raise
        raise UnwritableImage(path, unwritten(error)) from error


def _fingerprint(source: Source) -> str:
    """Size, time and the bytes at both ends; of a folder the names, sizes and times of its images."""
    if source.images:
        about = [(image.name, image.stat().st_size, image.stat().st_mtime_ns) for image in source.images]
        return f"{len(about)} images, {hashlib.blake2b(repr(about).encode(), digest_size=16).hexdigest()}"
    return _fingerprint_of_file(source.path)


def _fingerprint_of_file(path: Path) -> str:
    stat = path.stat()
    with path.open("rb") as file:
        digest = hashlib.blake2b(file.read(_ENDS), digest_size=16)
        file.seek(max(0, stat.st_size - _ENDS))
        digest.update(file.read(_ENDS))
    return f"{stat.st_size} bytes of {stat.st_mtime_ns}, {digest.hexdigest()}"

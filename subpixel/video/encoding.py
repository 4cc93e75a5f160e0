"""Which encoder writes the result, in which pixel format, and what it is told."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.codec
import av.error

from subpixel.errors import BadRequest, UnknownName
from subpixel.video.colours import Colours
from subpixel.video.decoding import Frame
from subpixel.video.planes import Layout, Plane, frame_of
from subpixel.video.priority import own_priority
from subpixel.video.request import CODECS, VideoRequest
from subpixel.video.source import Source

ENCODERS = {"h264": "libx264", "h265": "libx265", "av1": "libsvtav1", "ffv1": "ffv1"}
"""Codec -> the encoder inside PyAV; libx264 and libx265 are under the GPL."""
_OWN = {"h264": "h264", "hevc": "h265", "av1": "av1", "libdav1d": "av1", "ffv1": "ffv1"}
FORMATS = {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}
"""Ending of a result -> its container."""
FOLDER = "folder"
"""In place of a container: a PNG for each frame."""
_HOLDS = {"matroska": CODECS, "mp4": ("h264", "h265", "av1"), "mov": ("h264", "h265"), "webm": ("av1",),
          FOLDER: ("png",)}  # fmt: skip
_FASTEST = {"av1": Fraction(240)}
"""Frames a second beyond which an encoder takes none; constant quality does not depend on it, and times are kept."""
_WORST = {"h264": 51, "h265": 51, "av1": 63}
"""The constant rate factor of quality 0."""


@dataclass(frozen=True)
class Encoder:
    """How a video is encoded: everything that two encoders must share to go on where the other ended."""

    codec: str
    layout: Layout
    height: int
    width: int
    aspect: Fraction
    time_base: Fraction
    rate: Fraction
    colours: Colours
    centred: tuple[bool, bool]
    options: tuple[tuple[str, str], ...]
    threads: int

    @property
    def lossless(self) -> bool:
        """Whether a quality says nothing to it."""
        return self.codec not in _WORST

    @property
    def pixel_format(self) -> str:
        """What the encoder takes; FFV1 wants R'G'B' of 8 bits interleaved."""
        name = self.layout.name
        return {"gbrp": "bgr0", "gbrap": "bgra"}.get(name, name) if self.codec == "ffv1" else name

    def open(self) -> Coding:
        """A fresh encoder. Raises: BadRequest for a size or a rate that it does not take."""
        context = av.CodecContext.create(ENCODERS[self.codec], "w")
        self.configure(context)
        try:
            with own_priority():
                context.open()
        except av.error.FFmpegError as error:
            rate = f"{float(self.rate):.4g} frames a second"
            raise BadRequest(
                f"{ENCODERS[self.codec]} does not take {self.width}x{self.height} at {rate}; another --codec may, or "
                "another size"
            ) from error
        return Coding(self, context)

    def configure(self, context: Any) -> None:
        """Sets up a codec context, or that of a stream."""
        os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 speaks of itself on standard error otherwise
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pixel_format
        context.time_base, context.framerate = self.time_base, min(self.rate, _FASTEST.get(self.codec, self.rate))
        context.sample_aspect_ratio = self.aspect
        context.color_range, context.colorspace = self.colours.range, self.colours.matrix
        context.color_primaries, context.color_trc = self.colours.primaries, self.colours.transfer
        context.flags |= av.codec.context.Flags.global_header | av.codec.context.Flags.bitexact
        context.thread_count = self.threads
        context.options = dict(self.options)


@dataclass(frozen=True)
class Coding:
    """An encoder at work."""

    encoder: Encoder
    context: Any

    def encode(self, frame: Frame, planes: list[Plane]) -> list[Any]:
        """Takes the enlarged planes of a frame; gives the packets that are ready."""
        return self.context.encode(self._video_frame(frame, planes))

    def finish(self) -> list[Any]:
        """The packets that were waiting."""
        return self.context.encode(None)

    def _video_frame(self, frame: Frame, planes: list[Plane]) -> Any:
        coded, colours = frame_of(planes, self.encoder.layout), self.encoder.colours
        if coded.format.name != self.encoder.pixel_format:
            coded = coded.reformat(format=self.encoder.pixel_format)
        coded.pts, coded.time_base = frame.pts, self.encoder.time_base
        coded.color_range, coded.colorspace = colours.range, colours.matrix
        coded.color_primaries, coded.color_trc = colours.primaries, colours.transfer
        return coded


def container_of(target: Path) -> str:
    """The container that an ending means; a folder where there is none, or one is there. Raises: BadRequest."""
    if str(target) == "-":
        raise BadRequest("a video cannot go to standard output; name a file or a folder")
    if target.exists() and not target.is_dir() and not target.suffix:
        raise BadRequest(f"{target} is no folder; expected one, or a file ending in {', '.join(FORMATS)}")
    if target.is_dir() or not target.suffix:
        return FOLDER
    if target.suffix.lower() not in FORMATS:
        raise BadRequest(f"{target} ends in {target.suffix!r}; expected {', '.join(FORMATS)}, or a folder")
    return FORMATS[target.suffix.lower()]


def codec_of(request: VideoRequest, source: Source, container: str) -> str:
    """The codec that is asked for, or the source's own where it can be written. Raises: BadRequest, UnknownName."""
    if request.codec not in CODECS:
        raise UnknownName("codec", request.codec, CODECS)
    holds = _HOLDS[container]
    if request.codec == "auto":
        deep = "h265" if source.layout.bits > 8 else "h264"
        return next(codec for codec in (_OWN.get(source.codec, deep), deep, "av1", "png") if codec in holds)
    if request.codec not in holds:
        raise BadRequest(
            f"{container} holds {', '.join(c for c in holds if c != 'auto')}; {request.codec} fits in .mkv"
        )
    return request.codec


def layout_of(codec: str, given: Layout) -> Layout:
    """The layout nearest to the source's that an encoder takes, without alpha, colours or bits that it has not.

    For PNG it is what R'G'B' of the source's depth can be made of without a second rounding.
    """
    if codec == "png":
        ycc = not given.is_rgb and not given.is_gray
        return replace(given, bits=16 if ycc or given.bits > 8 else 8, sub=(0, 0))
    names = {known.name for known in av.codec.Codec(ENCODERS[codec], "w").video_formats or []}
    names |= {"gbrp", "gbrap"} if codec == "ffv1" else set()
    if codec == "h265":  # it keeps no alpha in Matroska and MP4, and players know no R'G'B' in it
        names = {name for name in names if not name.startswith(("yuva", "gbr"))}
    depths = sorted((8, 9, 10, 12, 14, 16), key=lambda bits: (bits < given.bits, abs(bits - given.bits)))
    kinds = [given, replace(given, alpha=False), replace(given, alpha=False, is_rgb=False)]
    kinds += [replace(kinds[-1], is_gray=False, sub=sub) for sub in ((0, 1), (1, 1))]
    layouts = [replace(kind, bits=bits) for kind in kinds for bits in depths]
    return next(layout for layout in layouts if layout.name in names)


def encoder(request: VideoRequest, source: Source, container: str, size: tuple[int, int], per_frame: int) -> Encoder:
    """The encoder for a result of height x width; per_frame: frames of it for each of the source's."""
    codec = codec_of(request, source, container)
    layout = layout_of(codec, source.layout)
    height, width = size
    colours = source.colours_in(layout).stated(source.height, height)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = request.execution.threads or cores or 1
    return Encoder(
        codec,
        layout,
        height,
        width,
        _aspect(source, height, width),
        source.time_base / per_frame,
        source.rate * per_frame,
        colours,
        source.centred,
        tuple(_options(codec, request.quality, source, threads).items()),
        threads,
    )


def _aspect(source: Source, height: int, width: int) -> Fraction:
    """Of a pixel of the result: its own, where both sides grow alike, else what keeps the shape on the screen."""
    stretched = abs(width * source.height - height * source.width) > 2 * max(source.height, source.width, height, width)
    if not stretched:
        return source.aspect
    return (source.aspect * source.width * height / (source.height * width)).limit_denominator(10000)


def _options(codec: str, quality: int, source: Source, threads: int) -> dict[str, str]:
    static = source.hdr
    siting = {(True, False): "left", (True, True): "center", (False, False): "topleft"}[source.centred]
    options = {"chroma_sample_location": siting}
    if codec == "png":
        return {}
    if codec == "ffv1":
        return options | {"level": "3", "coder": "1", "context": "1", "g": "1", "slicecrc": "1", "slices": "4"}
    options["crf"] = str(round((100 - quality) / 100 * _WORST[codec]))
    params: dict[str, str] = {}
    if codec == "av1":
        params = {"lp": str(threads), "pred-struct": "1"}  # low delay: else it holds a GiB of frames, more with threads
        params |= {"mastering-display": static.display(whole=False)} if static.mastering else {}
        params |= {"content-light": f"{static.light[0]},{static.light[1]}"} if static.light else {}
        return options | {"preset": "8", "svtav1-params": _joined(params)}
    if static.mastering:
        params["master-display" if codec == "h265" else "mastering-display"] = static.display(whole=True)
    if static.light:
        params["max-cll" if codec == "h265" else "cll"] = f"{static.light[0]},{static.light[1]}"
    if codec == "h265":
        params |= {"log-level": "none", "pools": str(threads), "frame-threads": "1"}
        return options | {"preset": "fast", "x265-params": _joined(params)}
    options |= {"x264-params": _joined(params)} if params else {}
    return options | {"preset": "veryfast", "rc-lookahead": "10"}


def _joined(params: dict[str, str]) -> str:
    return ":".join(f"{name}={value}" for name, value in params.items())

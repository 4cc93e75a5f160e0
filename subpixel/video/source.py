"""What a file of video is, known before a frame is computed."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.sidedata.sidedata import Type
from av.stream import Disposition

from subpixel.errors import UnreadableImage
from subpixel.images.video_frames import Turn
from subpixel.video import hdr
from subpixel.video.colours import FULL, UNSPECIFIED, Colours
from subpixel.video.damage import decoded
from subpixel.video.planes import Layout

_CENTRED = {"mjpeg", "mpeg1video", "theora", "jpeg2000", "vp8"}
"""Codecs whose chroma lies in the middle of the pixels that share it; in others at the left ones."""
_UNTOLD = {"mpeg"}
"""Containers in which streams are known by their packets alone."""
_USUAL_RATE = Fraction(25)
_WITHIN = {
    Type.A53_CC: "closed captions within the frames (CEA-608, CEA-708)",
    Type.SPHERICAL: "that it is a spherical video",
    Type.STEREO3D: "how it holds the views of two eyes",
    Type.ICC_PROFILE: "the colour profile of its frames",
}
"""What frames carry that no encoder here is given."""


@dataclass(frozen=True)
class Source:
    """The first video in a file, by its header and its first frame."""

    path: Path
    container: str
    index: int
    codec: str
    height: int
    width: int
    layout: Layout
    colours: Colours
    aspect: Fraction
    """Of a pixel."""
    time_base: Fraction
    rate: Fraction
    """Frames a second, on average."""
    began: float
    """Seconds of the earliest timestamp in the file."""
    duration: float | None
    """Seconds from there to its end, as the file states it."""
    interlaced: bool
    rotation: bytes | None
    """The display matrix."""
    hdr: hdr.Static
    dropped: tuple[str, ...]
    """What frames carry that cannot be kept."""
    is_files: bool = False
    """Whether the duration is the whole file's, in which sound may last longer than the video."""
    told: tuple[Any, ...] = ()
    """What the first frame says of its colours and of the shape of a pixel, as `told_by`."""
    images: tuple[Path, ...] = ()
    """The frames, where the path is a folder of them."""
    often_opaque: bool = False
    """Whether there is alpha in its frames though it may be of no use, as in GIF and where colours have a palette."""
    late: bool = False
    """Whether there may be streams whose first packets come late, by which alone they are known."""

    @property
    def centred(self) -> tuple[bool, bool]:
        """Whether chroma lies between the pixels that share it, down and across."""
        topleft = self.colours.is_hdr and self.colours.primaries == 9 and self.height >= 1440  # BT.2100 for UHD
        return not topleft, self.codec in _CENTRED

    @property
    def is_turned(self) -> bool:
        """Whether its rows are columns on the screen."""
        return Turn.of(self.rotation).transposed

    def colours_in(self, layout: Layout) -> Colours:
        """What its colours are called there: R'G'B' becomes the Y'CbCr of BT.709, and sRGB where nothing is said."""
        if layout.is_rgb or not self.layout.is_rgb:
            return self.colours
        primaries, transfer = self.colours.primaries, self.colours.transfer
        return Colours(1, 1, 1 if primaries == UNSPECIFIED else primaries, 13 if transfer == UNSPECIFIED else transfer)

    @property
    def frames(self) -> int | None:
        """About how many."""
        return None if self.duration is None else max(1, round(self.duration * self.rate))


SETTLING = 2.0
"""Seconds that are decoded before a place that was sought, so that what frames refer to is there."""
READING: dict[str, Any] = {"options": {"protocol_whitelist": "file"}} | (
    {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
)
"""How files are opened: no address in one is, and texts that are no UTF-8 are no error, as in PyAV from 19 on."""


LATEST, MOST = 60, 64
"""Seconds and MiB from the beginning in which streams are looked for that begin late."""
_PATIENT = {"analyzeduration": str(LATEST * 10**6), "probesize": str(MOST * 2**20)}


@contextmanager
def opened(path: Path, patient: bool = False) -> Generator[Any]:
    """The file as PyAV's container, which opens no address in it. Raises: UnreadableImage.

    patient: streams that begin late are waited for, as containers of MPEG need it, which tell nothing of them before.
    """
    if not path.is_file():
        raise UnreadableImage(path, "it is a folder" if path.is_dir() else "no such file")
    if not os.path.getsize(path):
        raise UnreadableImage(path, "the file is empty")
    how = READING | {"options": READING["options"] | _PATIENT} if patient else READING
    try:
        container = av.open(os.path.abspath(path), **how)  # a colon in a name would make an address of it
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableImage(path, f"it is no video, or cut off ({_reason(error)})") from None
    with container:
        yield container


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def is_known(stream: Any) -> bool:
    """Whether it is known what is in a stream, without which it cannot be copied."""
    context = stream.codec_context
    if context is None or stream.type not in ("audio", "video"):
        return True
    return bool(context.sample_rate if stream.type == "audio" else context.width)


def main_stream(container: Any, path: Path) -> Any:
    """The first video that is no cover. Raises: UnreadableImage."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise UnreadableImage(path, "there is no video in it")


def probe(path: Path) -> Source:
    """Reads the header and decodes frames until one comes out whole. Raises: UnreadableImage."""
    with opened(path) as container:
        stream = main_stream(container, path)
        frame = _first_frame(container, stream)
        if frame is None:
            raise UnreadableImage(path, "no frame of it can be decoded: it is damaged, encrypted, or not supported")
        context, carried = stream.codec_context, hdr.side_data(frame)
        colours = Colours(
            *(
                getattr(frame, name) or getattr(context, name)
                for name in ("color_range", "colorspace", "color_primaries", "color_trc")
            )
        )
        began = (container.start_time or 0) / 1e6
        layout = Layout.of(frame.format)
        if layout.is_gray and not colours.range:
            colours = replace(colours, range=FULL)  # as swscale takes it
        return Source(
            path,
            container.format.name,
            stream.index,
            context.name,
            frame.height,
            frame.width,
            layout,
            colours,
            stream.sample_aspect_ratio or context.sample_aspect_ratio or Fraction(1),
            stream.time_base,
            stream.average_rate or stream.guessed_rate or _USUAL_RATE,
            began,
            _duration(container, stream, began) or None,
            bool(frame.interlaced_frame),
            carried.get(Type.DISPLAYMATRIX),
            hdr.Static.of(frame),
            tuple(_dropped(stream, layout, carried)),
            not stream.duration,
            told_by(frame, context),
            often_opaque=context.name == "gif" or frame.format.has_palette,
            late=container.format.name in _UNTOLD or not all(map(is_known, container.streams)),
        )


def told_by(frame: Any, context: Any) -> tuple[Any, ...]:
    """What a frame says of its colours, and its decoder of the shape of a pixel."""
    numbers = frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc
    return (*map(int, numbers), context.sample_aspect_ratio or Fraction(1))


def _dropped(stream: Any, layout: Layout, carried: dict[Type, bytes]) -> Iterator[str]:
    """What of the frames is not decoded, or has no way into the result."""
    if stream.metadata.get("alpha_mode") == "1" and not layout.alpha:
        yield f"alpha, which is not decoded of {stream.codec_context.name}"
    for kind, name in (hdr.DYNAMIC | _WITHIN).items():
        if kind in carried and not (kind == Type.STEREO3D and "stereo_mode" in stream.metadata):
            yield name


def _duration(container: Any, stream: Any, began: float) -> float:
    """Seconds to the end of the video, or of the file, of which Matroska says when it ends; 0 where nothing is said."""
    if stream.duration:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base) - began
    length = (container.duration or 0) / 1e6
    return length - began if length > began else length


def _first_frame(container: Any, stream: Any) -> Any:
    try:
        for packet in container.demux(stream):
            if frames := decoded(packet):
                return frames[0]
    except av.error.FFmpegError:
        pass
    return None

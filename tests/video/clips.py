"""Small videos made for the tests: a moving wave, with tones, titles and whatever else a file can hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from subpixel.jobs.pool import Finished
from subpixel.video.planes import Layout, frame_of
from subpixel.video.request import VideoRequest
from subpixel.video.upscaling import Started, upscale

os.environ.setdefault("SVT_LOG", "1")


@dataclass(frozen=True)
class Sound:
    codec: str = "aac"
    language: str = "eng"
    title: str = ""


@dataclass(frozen=True)
class Clip:
    """What is in a file; see `make`."""

    name: str
    codec: str = "libx264"
    format: str = "yuv420p"
    size: tuple[int, int] = (48, 64)
    frames: int = 8
    times: tuple[int, ...] = ()
    """In 1/1000 s; empty for 25 frames a second."""
    sounds: tuple[Sound, ...] = ()
    options: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, int] = field(default_factory=dict[str, int])
    aspect: Fraction | None = None
    rotation: int = 0
    mirrored: bool = False
    chapters: bool = False
    title: str = ""
    subtitles: str = ""
    attachment: bytes = b""
    interlaced: bool = False


def texture(k: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """Luma in [0, 1] of a wave at time k."""
    y, x = np.mgrid[: size[0], : size[1]]
    return 0.5 + 0.35 * np.sin(x / 5 + 0.6 * k) * np.cos(y / 7 + 0.2 * k)


def planes_of(k: int, layout: Layout, size: tuple[int, int], interlaced: bool = False) -> list[NDArray[Any]]:
    """Codes of a frame."""
    luma = texture(k, size)
    if interlaced:
        luma[1::2] = texture(k + 0.5, size)[1::2]
    most = 2**layout.bits - 1
    whole = [luma, luma.T.reshape(size), 1 - luma][: 1 if layout.is_gray else 3]
    if not layout.is_rgb and not layout.is_gray:
        halved = tuple(-(-n // (1 << sub)) for n, sub in zip(size, layout.sub, strict=True))
        whole[1:] = [0.4 + 0.2 * texture(k / 3 + c, halved) for c in (0, 1)]
    alpha = [np.broadcast_to(np.linspace(0, 1, size[1]), size)] if layout.alpha else []
    return [np.round(plane * most).astype(layout.dtype) for plane in (*whole, *alpha)]


def make(folder: Path, clip: Clip) -> Path:
    """Writes a clip."""
    path = folder / clip.name
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream(clip.codec, rate=25, options=clip.options)
        video.height, video.width, video.pix_fmt = *clip.size, clip.format
        video.codec_context.time_base = Fraction(1, 1000) if clip.times else Fraction(1, 25)
        for name, value in clip.tags.items():
            setattr(video.codec_context, name, value)
        if clip.aspect:
            video.codec_context.sample_aspect_ratio = clip.aspect
        _turn(video, clip)
        tones = [_sound(file, sound) for sound in clip.sounds]
        text = _subtitles(file, clip.subtitles) if clip.subtitles else None
        if clip.attachment:
            file.add_attachment("letter.ttf", "font/ttf", clip.attachment)
        if clip.title:
            file.metadata["title"] = clip.title
        if clip.chapters:
            file.set_chapters([chapter(1, 0, 160, "first"), chapter(2, 160, 320, "second")])
        file.start_encoding()
        for frame in frames(clip):
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        for tone in tones:
            _play(file, tone, clip)
        if text is not None:
            packet = av.Packet(b"a word")
            packet.stream, packet.pts, packet.dts, packet.duration = text, 40, 40, 200
            packet.time_base = Fraction(1, 1000)
            file.mux(packet)
    return path


def _turn(video: Any, clip: Clip) -> None:
    if clip.rotation:
        video.set_display_rotation(clip.rotation)
    if clip.mirrored:
        video.set_display_matrix((-(1 << 16), 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))


def chapter(number: int, start: int, end: int, title: str) -> Any:
    return {"id": number, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}


def frames(clip: Clip) -> Iterable[av.VideoFrame]:
    """The frames that go in."""
    layout = Layout.of(av.VideoFormat(clip.format, clip.size[1], clip.size[0]))
    times: Sequence[int] = clip.times or range(clip.frames)
    for k, pts in enumerate(times):
        frame = frame_of(planes_of(k, layout, clip.size, clip.interlaced), layout)
        if frame.format.name != clip.format and not clip.format.startswith("yuvj"):
            frame = frame.reformat(format=clip.format)
        frame.pts, frame.time_base = pts, Fraction(1, 1000) if clip.times else Fraction(1, 25)
        frame.color_range = clip.tags.get("color_range", 0)
        yield frame


def _sound(file: Any, sound: Sound) -> Any:
    stream = file.add_stream(sound.codec, rate=48000)
    stream.layout = "stereo"
    stream.metadata["language"] = sound.language
    if sound.title:
        stream.metadata["title"] = sound.title
    return stream


def _subtitles(file: Any, codec: str) -> Any:
    stream = file.add_mux_stream(codec)
    stream.time_base = Fraction(1, 1000)
    stream.metadata["language"] = "fra"
    return stream


def _play(file: Any, stream: Any, clip: Clip) -> None:
    """A tone as long as the video."""
    size = stream.codec_context.frame_size or 1024
    seconds = (clip.times[-1] / 1000 if clip.times else clip.frames / 25) + 0.1
    for begin in range(0, int(48000 * seconds), size):
        t = (begin + np.arange(size)) / 48000
        wave = (0.3 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, begin, Fraction(1, 48000)
        if stream.format.name != "fltp":
            frame = av.AudioResampler(stream.format.name, "stereo", 48000).resample(frame)[0]
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def request(**asked: Any) -> VideoRequest:
    """By bicubic, twice as large, in one thread, where nothing else is asked for."""
    return VideoRequest.parse({"model": "bicubic", "scale": 2, "execution": {"threads": 1}} | asked)


def run(source: Path, target: Path, **asked: Any) -> tuple[Started, Finished]:
    """The first and the last event of an enlargement, which replaces what is there."""
    started, *_, finished = upscale(source, target, request(**asked), overwrite=True)
    assert isinstance(started, Started)
    assert isinstance(finished, Finished)
    return started, finished

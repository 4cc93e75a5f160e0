"""Video, measured: quality, flicker, frames a second with the share of each stage, beside swscale and OpenCV."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import DegradationReport
from subpixel.benchmarks import speed
from subpixel.errors import DataError
from subpixel.inference.upscaler import Upscaler
from subpixel.resample import resize
from subpixel.runtimes import Execution
from subpixel.video.colours import span, to_codes, to_ycc
from subpixel.video.decoding import Frame, Frames
from subpixel.video.encoding import encoder
from subpixel.video.enlarging import FrameUpscaler
from subpixel.video.planes import Layout, Plane, frame_of, planes
from subpixel.video.request import VideoRequest
from subpixel.video.source import Source, probe
from subpixel.video.upscaling import upscale

SCALE = 2
_BLOCK, _REACH = 16, 7
"""Pixels of a block whose motion is looked for, and how far."""

Luma = NDArray[np.float32]
"""H W in levels of 0..255."""


@dataclass(frozen=True)
class Row:
    """What one way of enlarging a clip gave."""

    clip: str
    model: str
    psnr: float
    """Of Y, in dB, over all frames."""
    difference_psnr: float
    """Of the difference of neighbouring frames."""
    flicker: float
    """Levels: how much the error changes along the motion, as a root mean square."""
    fps: float = 0.0
    """Frames a second through the file, H.264 to H.264."""
    network_fps: float = 0.0
    """Of `FrameUpscaler` alone."""
    shares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of decoding, computing and encoding, each done alone."""


def bench_video(
    clips: Sequence[Path],
    models: Sequence[str],
    frames: int = 40,
    opencv: Path | None = None,
    threads: int | None = None,
) -> Iterator[Row]:
    """Each clip reduced by 2 and enlarged again, by each model or kernel, and by FFmpeg's bicubic.

    opencv: OpenCV's FSRCNN_x2.pb, for a loop over cv2.dnn_superres in the same run.
    Raises: as `probe` and `speed.opencv_network` do, before anything is measured; DataError.
    """
    theirs = speed.opencv_network(opencv, "fsrcnn", SCALE) if opencv else None
    for clip, source in [(clip, probe(clip)) for clip in clips]:
        with tempfile.TemporaryDirectory() as place:
            weights = source.colours.weights(source.height)
            truth = [cropped(y) for y in _lumas_of(islice(Frames(source), frames), source.layout, weights)]
            if len(truth) < 2:
                raise DataError(f"{clip} has less than two frames")
            motion = [motion_of(before, after) for before, after in pairwise(truth)]
            low = _reduced(source, Path(place, "low.mkv"), frames)
            coded = _encoded(low, Path(place, "low.mp4"))
            for model in models:
                quality = _quality(_lumas(low, Path(place, "high.mkv"), model, threads, weights), truth, motion)
                yield Row(clip.name, model, *quality, *_speed(coded, Path(place, "high.mp4"), model, threads))
            lumas, fps = _swscaled(low, Path(place, "scaled.mp4"), weights)
            yield Row(clip.name, "swscale bicubic", *_quality(lumas, truth, motion), fps)
            if opencv is not None:
                lumas, _ = _opencv_loop(low, Path(place, "theirs.mp4"), theirs, source)
                _, fps = _opencv_loop(coded, Path(place, "theirs.mp4"), theirs, source)
                yield Row(clip.name, f"OpenCV {opencv.stem}, a loop", *_quality(lumas, truth, motion), fps)


def luma(planes: list[Plane], layout: Layout, weights: tuple[float, float]) -> Luma:
    """The Y of a frame in levels of 8 bits, whatever its bits; of R'G'B' by Kr and Kb."""
    level = np.float32(2.0 ** (8 - layout.bits))
    if not layout.is_rgb:
        return planes[0].astype(np.float32) * level
    rgb = np.stack([planes[2], planes[0], planes[1]], axis=-1).astype(np.float32)
    return to_ycc(rgb, weights)[0] * level


def _lumas_of(frames: Iterable[Frame], layout: Layout, weights: tuple[float, float]) -> Iterator[Luma]:
    return (luma(frame.planes, layout, weights) for frame in frames)


def cropped(plane: Plane) -> Plane:
    """A plane whose sides are multiples of 4."""
    height, width = (n // 4 * 4 for n in plane.shape)
    return plane[:height, :width]


def motion_of(before: Luma, after: Luma) -> NDArray[np.intp]:
    """For each block of `after`, rows and columns back to where it was: exhaustive search by the sum of differences.

    before, after: H W. Returns (blocks down, blocks across, 2).
    """
    rows, columns = (n // _BLOCK for n in after.shape)
    padded = np.pad(before, _REACH, mode="edge")
    offsets = [(dy, dx) for dy in range(2 * _REACH + 1) for dx in range(2 * _REACH + 1)]
    offsets.sort(key=lambda o: abs(o[0] - _REACH) + abs(o[1] - _REACH))  # of equals the shortest
    height, width = rows * _BLOCK, columns * _BLOCK
    costs = np.stack([_block_sums(np.abs(after - _window(padded, o, after.shape))[:height, :width]) for o in offsets])
    return np.array(offsets)[costs.argmin(0)] - _REACH


def _window(padded: Luma, offset: tuple[int, int], shape: tuple[int, ...]) -> Luma:
    return padded[offset[0] : offset[0] + shape[0], offset[1] : offset[1] + shape[1]]


def _block_sums(values: Luma) -> Luma:
    height, width = values.shape
    return values.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).sum((1, 3))


def moved(before: Luma, motion: NDArray[np.intp]) -> Luma:
    """The blocks of the frame after, as they were in the frame before: H W, a motion for each block -> H W."""
    padded = np.pad(before, _REACH, mode="edge")
    rows, columns = motion.shape[:2]
    y, x = np.mgrid[: rows * _BLOCK, : columns * _BLOCK]
    offset = motion.repeat(_BLOCK, 0).repeat(_BLOCK, 1) + _REACH
    return padded[y + offset[..., 0], x + offset[..., 1]]


def _quality(
    lumas: Iterable[Luma], truth: Sequence[Luma], motion: Sequence[NDArray[np.intp]]
) -> tuple[float, float, float]:
    """PSNR, PSNR of the differences, flicker."""
    errors = [each[: true.shape[0], : true.shape[1]] - true for each, true in zip(lumas, truth, strict=True)]
    changes, flicker = list[float](), list[float]()
    for (before, after), blocks in zip(pairwise(errors), motion, strict=True):
        changes.append(float(np.mean((after - before) ** 2)))
        along = moved(before, blocks)
        flicker.append(float(np.mean((after[: along.shape[0], : along.shape[1]] - along) ** 2)))
    mse = float(np.mean([np.mean(error**2) for error in errors]))
    return _psnr(mse), _psnr(float(np.mean(changes))), float(np.sqrt(np.mean(flicker)))


def _psnr(mse: float) -> float:
    return 10 * float(np.log10(255**2 / max(mse, 1e-9)))


def _reduced(source: Source, path: Path, frames: int) -> Source:
    """The clip at half its size, without loss."""

    def halved(planes: list[Plane]) -> list[Plane]:
        whole = cropped(planes[0]).shape
        sizes = [tuple(n // (1 << s) for n, s in zip(whole, sub, strict=True)) for sub in _subs(source, len(planes))]
        return [_halved(p[:h, :w], source.layout.bits) for p, (h, w) in zip(planes, sizes, strict=True)]

    return write_video(
        source, path, "ffv1", ((frame.pts, halved(frame.planes)) for frame in islice(Frames(source), frames))
    )


def _halved(plane: Plane, bits: int) -> Plane:
    """By bicubic; 8 bits as the benchmarks of photos have it, rounded after each axis."""
    height, width = (n // SCALE for n in plane.shape)
    if bits == 8:
        return resize(plane, height, width)
    return to_codes(resize(plane.astype(np.float64), height, width), bits)


def _subs(source: Source, count: int) -> list[tuple[int, int]]:
    return [(0, 0), *[source.layout.sub] * (count - 1)]


def _encoded(source: Source, path: Path) -> Source:
    """The same as H.264."""
    return write_video(source, path, "h264", ((frame.pts, frame.planes) for frame in Frames(source)))


def write_video(source: Source, path: Path, codec: str, frames: Iterable[tuple[int, list[Plane]]]) -> Source:
    """A video of planes in the source's layout, at times in its ticks."""
    import av

    with av.open(str(path), "w") as file:
        stream: Any = None
        for pts, planes in frames:
            if stream is None:
                request = VideoRequest.parse({"codec": codec, "quality": 70})
                coded = encoder(request, source, "matroska", planes[0].shape, 1)  # pyright: ignore[reportArgumentType]
                stream = file.add_stream({"h264": "libx264"}.get(codec, codec), rate=Fraction(source.rate))
                coded.configure(stream.codec_context)
            frame = frame_of(planes, source.layout)
            frame.pts, frame.time_base = pts, source.time_base
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return probe(path)


def _request(model: str, codec: str, threads: int | None) -> VideoRequest:
    how = {"threads": threads}
    return VideoRequest.parse({"model": model, "scale": SCALE, "codec": codec, "execution": how, "deinterlace": "off"})


def _lumas(source: Source, path: Path, model: str, threads: int | None, weights: tuple[float, float]) -> Iterator[Luma]:
    for _ in upscale(source.path, path, _request(model, "ffv1", threads), overwrite=True):
        pass
    larger = probe(path)
    yield from _lumas_of(Frames(larger), larger.layout, weights)


def _speed(
    source: Source, path: Path, model: str, threads: int | None
) -> tuple[float, float, tuple[float, float, float]]:
    """Frames a second through the file and of the network alone, and the shares of the stages."""
    decoding, frames = _timed(lambda: list(Frames(source)))
    upscaler = Upscaler(model, scale=SCALE, execution=Execution(threads=threads), video=True)
    larger = FrameUpscaler(upscaler, source, source.layout, DegradationReport())
    larger(frames[0].planes)
    computing, results = _timed(lambda: [larger(frame.planes) for frame in frames])
    encoding, _ = _timed(lambda: _packets(source, results, threads))
    events = upscale(source.path, path, _request(model, "h264", threads), overwrite=True)
    next(events)
    whole, _ = _timed(lambda: list(events))
    alone = decoding + computing + encoding
    shares = (decoding / alone, computing / alone, encoding / alone)
    return len(frames) / whole, len(frames) / computing, shares


def _packets(source: Source, results: list[list[Plane]], threads: int | None) -> int:
    coded = encoder(_request("bicubic", "h264", threads), source, "matroska", results[0][0].shape, 1)  # pyright: ignore[reportArgumentType]
    coding, step = coded.open(), 1 / (source.rate * source.time_base)
    count = sum(len(coding.encode(Frame(round(k * step), planes), planes)) for k, planes in enumerate(results))
    return count + len(coding.finish())


def _timed(call: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    result = call()
    return time.perf_counter() - began, result


def _swscaled(source: Source, path: Path, weights: tuple[float, float]) -> tuple[list[Luma], float]:
    """Enlarged by FFmpeg's scaler and written as H.264; its Y before that, and frames a second."""
    lumas, began, size = list[Luma](), time.perf_counter(), (SCALE * source.width, SCALE * source.height)

    def enlarged() -> Iterator[tuple[int, list[Plane]]]:
        for frame in Frames(source):
            larger = frame_of(frame.planes, source.layout).reformat(*size, interpolation="BICUBIC")
            result = planes(larger, source.layout)
            lumas.append(luma(result, source.layout, weights))
            yield frame.pts, result

    write_video(source, path, "h264", enlarged())
    return lumas, len(lumas) / (time.perf_counter() - began)


def _opencv_loop(source: Source, path: Path, network: Any, truth: Source) -> tuple[list[Luma], float]:
    """Read, upsample, write, frame by frame, as one does it with OpenCV; its Y by OpenCV's own conversion."""
    cv2 = speed.opencv()
    capture, lumas, began = cv2.VideoCapture(str(source.path)), list[Luma](), time.perf_counter()
    size = (SCALE * source.width, SCALE * source.height)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), float(source.rate), size)
    while True:
        is_frame, frame = capture.read()
        if not is_frame:
            break
        result = network.upsample(frame)
        writer.write(result)
        lumas.append(result)
    writer.release()
    fps = len(lumas) / (time.perf_counter() - began)
    kr, kb = truth.colours.weights(truth.height)
    is_full = truth.colours.is_full or truth.layout.is_rgb or truth.layout.is_gray
    black, unit = span(8, is_full, chroma=False)
    weights = np.array([kb, 1 - kr - kb, kr], np.float32)
    return [image.astype(np.float32) @ weights * np.float32(unit / 255) + np.float32(black) for image in lumas], fps


_HEAD = (
    "| clip | model | Y-PSNR | of differences | flicker | frames/s | of the network | decode, compute, encode |",
    "|---|---|---|---|---|---|---|---|",
)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Markdown, a line as soon as it is measured, the head with the first."""
    for k, row in enumerate(rows):
        if k == 0:
            yield from _HEAD
        shares = " ".join(f"{share:.0%}" for share in row.shares) if row.network_fps else ""
        alone = f"{row.fps / row.network_fps:.2f}" if row.network_fps else ""
        numbers = f"{row.psnr:.2f} | {row.difference_psnr:.2f} | {row.flicker:.2f} | {row.fps:.2f} | {alone} | {shares}"
        yield f"| {row.clip} | {row.model} | {numbers} |"

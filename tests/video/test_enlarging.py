"""What the frames become: the network's own result on planes, nothing clipped, fields told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import PIL.Image
import pytest
from clips import Clip, make, texture

from subpixel import Upscaler
from subpixel.analysis import DegradationReport, Jpeg
from subpixel.runtimes import Execution
from subpixel.video.decoding import Frames, field_order
from subpixel.video.encoding import layout_of
from subpixel.video.enlarging import FrameUpscaler
from subpixel.video.planes import Layout, planes
from subpixel.video.request import VideoRequest
from subpixel.video.source import Source, probe
from subpixel.video.upscaling import Started, upscale

F32 = Execution(precision="f32", threads=1)


def larger(source: Source, model: str, report: DegradationReport = DegradationReport(), **how: Any) -> FrameUpscaler:
    return FrameUpscaler(Upscaler(model, scale=2, execution=F32), source, how.get("layout", source.layout), report)


def test_luma_through_a_file_is_what_the_network_makes_of_it(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv", "ffv1")), tmp_path / "larger.mkv"
    asked = {"model": "swift", "codec": "ffv1", "execution": {"precision": "f32", "threads": 1}}
    list(upscale(source, target, VideoRequest.parse(asked)))
    upscaler = Upscaler("swift-x2", execution=F32)
    with av.open(str(source)) as before, av.open(str(target)) as after:
        for low, high in zip(before.decode(video=0), after.decode(video=0), strict=True):
            y = planes(low, probe(source).layout)[0]
            np.testing.assert_array_equal(planes(high, probe(target).layout)[0], upscaler(y))


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le", "yuv420p12le"])
def test_head_and_footroom_survive(name: str, tmp_path: Path) -> None:
    source = probe(make(tmp_path, Clip("a.mkv", "ffv1", name, tags={"color_range": 1})))
    unit = 2 ** (source.layout.bits - 8)
    codes = np.full((48, 64), 4 * unit, source.layout.dtype)
    codes[:, 32:] = 250 * unit
    chroma = [np.full((24, 32), code * unit, source.layout.dtype) for code in (2, 253)]
    y, cb, cr = larger(source, "swift")([codes, *chroma])
    assert (y.shape, y.dtype) == ((96, 128), source.layout.dtype)
    assert abs(int(y[48, 20]) - 4 * unit) <= unit
    assert abs(int(y[48, 107]) - 250 * unit) <= unit
    assert (int(cb[20, 20]), int(cr[20, 20])) == (2 * unit, 253 * unit)


def test_a_report_of_damage_calls_for_rgb(tmp_path: Path) -> None:
    source = probe(make(tmp_path, Clip("a.mkv", "ffv1", tags={"colorspace": 1, "color_range": 1})))
    (frame,) = list(Frames(source, stop=0.03))
    clean, damaged = larger(source, "auto"), larger(source, "auto", DegradationReport(jpeg=Jpeg(quality=30)))
    assert (clean.restores, damaged.restores) == (False, True)
    assert "on Y, chroma by bicubic" in clean.describe()
    assert "restore-x2" in damaged.describe()
    assert "on R'G'B'" in damaged.describe()
    for ours, theirs in zip(clean(frame.planes), damaged(frame.planes), strict=True):
        assert np.abs(ours.astype(int) - theirs)[4:-4, 4:-4].mean() < 6


def test_rgb_without_a_network_is_exact_to_a_code(tmp_path: Path) -> None:
    """Through R'G'B' and back at the same size: what the matrices and the two moves of chroma cost."""
    source = probe(make(tmp_path, Clip("a.mkv", "ffv1", "yuv444p", tags={"colorspace": 9, "color_range": 1})))
    (frame,) = list(Frames(source, stop=0.03))
    gray = [np.clip(frame.planes[0], 40, 210), *(np.clip(plane, 118, 138) for plane in frame.planes[1:])]
    there = FrameUpscaler(Upscaler("bicubic", scale=1, execution=F32), source, source.layout, DegradationReport())
    there._in_rgb = True
    there.plan = Upscaler("bicubic", scale=1).prepare(_rgb_shape(source))
    for before, after in zip(gray, there(gray), strict=True):
        assert np.abs(before.astype(int) - after).max() <= 1


def _rgb_shape(source: Source) -> Any:
    from subpixel.ports import Shape

    return Shape(source.height, source.width, 3)


@pytest.mark.parametrize(
    ("codec", "given", "made"),
    [
        ("h264", Layout(12, sub=(1, 1)), "yuv420p10le"),
        ("av1", Layout(8, sub=(0, 1)), "yuv420p"),
        ("h265", Layout(10, alpha=True), "yuv444p10le"),
        ("ffv1", Layout(8, is_rgb=True, alpha=True), "gbrap"),
        ("h264", Layout(8, is_rgb=True), "yuv444p"),
        ("av1", Layout(16, is_gray=True), "yuv420p10le"),
        ("ffv1", Layout(8, sub=(0, 2)), "yuv411p"),
    ],
)
def test_the_nearest_layout_that_an_encoder_has(codec: str, given: Layout, made: str) -> None:
    assert layout_of(codec, given).name == made


def test_fields_are_told_and_taken_apart(tmp_path: Path) -> None:
    size, options = (144, 176), {"flags": "+ildct+ilme"}
    woven = Clip("woven.mpg", "mpeg2video", size=size, frames=30, interlaced=True, options=options | {"b": "9M"})
    source = probe(make(tmp_path, woven))
    whole = probe(make(tmp_path, Clip("whole.mkv", size=size, frames=30)))
    assert (field_order(source), field_order(whole)) == ("tff", None)
    frames, fields = list(Frames(source, "tff", 1)), list(Frames(source, "tff", 2))
    assert (len(frames), len(fields)) == (30, 60)
    assert np.diff([f.pts for f in fields]).tolist() == [3600] * 59
    for k in (10, 11, 12):
        for half in (0, 1):
            truth = texture(k + half / 2, size) * 255
            found = fields[2 * k + half].planes[0].astype(float)
            assert np.abs(found - truth)[4:-4, 4:-4].mean() < 4


def test_small_clips_that_pan_are_not_taken_for_fields(tmp_path: Path, examples: Path) -> None:
    """Of 48 lines with fine detail, idet calls most frames woven."""
    photo = PIL.Image.open(examples / "seeding.jpg").convert("RGB")
    path = tmp_path / "pan.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(12):
            place = (1.5, 0, 20 + 0.6 * k, 0, 1.5, 30)
            seen = photo.transform((64, 48), PIL.Image.Transform.AFFINE, place, PIL.Image.Resampling.BICUBIC)
            file.mux(stream.encode(av.VideoFrame.from_image(seen)))
        file.mux(stream.encode())
    assert field_order(probe(path)) is None


def test_a_small_clip_is_what_it_says_it_is(tmp_path: Path) -> None:
    said = Clip("said.mpg", "mpeg2video", size=(96, 128), frames=12, interlaced=True, options={"flags": "+ildct+ilme"})
    assert field_order(probe(make(tmp_path, said))) == "tff"


def test_an_interlaced_file_comes_out_progressive(tmp_path: Path) -> None:
    clip = Clip(
        "woven.mpg", "mpeg2video", size=(144, 176), frames=12, interlaced=True, options={"flags": "+ildct+ilme"}
    )
    source = make(tmp_path, clip)
    for mode, count in (("auto", 12), ("field", 24), ("off", 12)):
        target = tmp_path / f"{mode}.mkv"
        started = next(events := upscale(source, target, VideoRequest.parse({"model": "bicubic", "deinterlace": mode})))
        assert isinstance(started, Started)
        assert ("deinterlaced" in started.description) == (mode != "off")
        list(events)
        with av.open(str(target)) as file:
            frames = list(file.decode(video=0))
        assert len(frames) == count
        assert not any(frame.interlaced_frame for frame in frames)
        step = 0.02 if mode == "field" else 0.04
        times = [frame.time - frames[0].time for frame in frames]
        assert times == pytest.approx([k * step for k in range(count)], abs=2e-3)  # as fast as before

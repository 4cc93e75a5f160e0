"""Over a matrix of made files: everything but the resolution is kept, or named before the work begins."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition
from clips import Clip, Sound, make, run

from subpixel.video.hdr import Static

_HDR = "log-level=none:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
_BT2020 = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
CLIPS = [
    (Clip("plain.mp4", sounds=(Sound(),), title="A film", subtitles="mov_text"), "mp4"),
    (Clip("primed.mp4", sounds=(Sound(),)), "mkv"),  # its first sound is of before 0
    (Clip("primed.mov", sounds=(Sound(),)), "mkv"),
    (Clip("film.mkv", sounds=(Sound("aac"), Sound("flac", "deu", "Kommentar")), subtitles="subrip"), "mkv"),
    (Clip("chapters.mkv", chapters=True, title="In two parts", attachment=b"not quite a font"), "mkv"),
    (
        Clip("hdr.mkv", "libx265", "yuv420p10le", options={"x265-params": f"{_HDR}:max-cll=1000,400"}, tags=_BT2020),
        "mp4",
    ),
    (Clip("vfr.mkv", times=(0, 7, 40, 81, 82, 140, 333, 334), sounds=(Sound("libopus"),)), "mkv"),
    (Clip("vfr.mp4", times=(0, 7, 40, 81, 82, 140, 333, 334), sounds=(Sound(),)), "mp4"),
    (Clip("turned.mp4", rotation=90), "mp4"),
    (Clip("turned2.mp4", rotation=-90), "mkv"),
    (Clip("wide.mp4", aspect=Fraction(16, 11)), "mkv"),
    (Clip("wide.mkv", aspect=Fraction(10, 11)), "mp4"),
    (Clip("odd.mkv", "ffv1", size=(27, 33)), "mkv"),
    (Clip("odd.avi", "ffv1", size=(27, 33)), "mp4"),
    (Clip("alpha.mkv", "ffv1", "yuva420p"), "mkv"),
    (Clip("gray.mkv", "ffv1", "gray"), "mkv"),
    (Clip("deep.mkv", "ffv1", "yuv444p12le"), "mkv"),
    (Clip("rgb.mov", "png", "rgb24", frames=4), "mkv"),
    (Clip("still.avi", "mjpeg", "yuvj422p", tags={"color_range": 2}), "mkv"),
    (Clip("master.mov", "prores_ks", "yuv422p10le", frames=4), "mkv"),
    (Clip("one.mp4", frames=1), "mp4"),
    (Clip("web.webm", "libvpx-vp9", sounds=(Sound("libopus"),), options={"cpu-used": "8"}), "webm"),
    (Clip("broadcast.ts", "mpeg2video", sounds=(Sound("mp2"),), tags={"colorspace": 1, "color_primaries": 1}), "mkv"),
    (Clip("anim.gif", "gif", "rgb8", frames=4), "mkv"),
]


def packets(path: Path) -> dict[int, list[tuple[Fraction, bytes]]]:
    """Of every stream but the video: the seconds and the bytes of each packet."""
    found: dict[int, list[tuple[Fraction, bytes]]] = {}
    with av.open(str(path)) as file:
        for packet in file.demux():
            if packet.size and packet.stream.type != "video":
                assert packet.pts is not None
                found.setdefault(packet.stream.index, []).append((packet.pts * packet.time_base, bytes(packet)))
    return found


def shown(path: Path) -> tuple[list[Any], list[float]]:
    with av.open(str(path)) as file:
        frames = list(file.decode(file.streams.video[0]))
        return frames, [frame.time for frame in frames]


def facts(path: Path) -> dict[str, Any]:
    """What is to be equal before and after."""
    with av.open(str(path)) as file:
        chapters = [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in file.chapters()]
        streams = [(s.type, s.language, s.metadata.get("title")) for s in file.streams if s.type != "video"]
        attached = [(s.name, s.data) for s in file.streams if s.type == "attachment"]
        video = file.streams.video[0]
        aspect = video.sample_aspect_ratio or video.codec_context.sample_aspect_ratio or Fraction(1)
        title = file.metadata.get("title")
    return {"chapters": chapters, "streams": streams, "attached": attached, "aspect": aspect or 1, "title": title}


@pytest.mark.parametrize(("clip", "ending"), CLIPS, ids=[clip.name for clip, _ in CLIPS])
def test_all_but_the_resolution_is_kept(clip: Clip, ending: str, tmp_path: Path) -> None:
    source, target = make(tmp_path, clip), tmp_path / f"larger.{ending}"
    started, finished = run(source, target)
    assert finished.error is None
    assert not [warning for warning in started.warnings if "stream" in warning]
    before, after = packets(source), packets(target)
    assert len(before) == len(clip.sounds) + bool(clip.subtitles)
    for old, new in zip(before.values(), after.values(), strict=True):
        assert [data for _, data in old] == [data for _, data in new]
    (frames, times), (larger, later) = shown(source), shown(target)
    assert (larger[0].height, larger[0].width) == (2 * clip.size[0], 2 * clip.size[1])
    assert len(times) == len(later) == (len(clip.times) or clip.frames)
    assert [b - later[0] for b in later] == pytest.approx([a - times[0] for a in times], abs=0.00101)
    offsets = [[float(s[0][0]) - t[0] for s in p.values()] for p, t in ((before, times), (after, later))]
    assert offsets[0] == pytest.approx(offsets[1], abs=0.00101)
    assert facts(source) == facts(target)
    assert frames[0].rotation == larger[0].rotation
    assert not list(tmp_path.glob("*.partial"))


def test_colours_and_light_are_told_again(tmp_path: Path) -> None:
    clip = next(clip for clip, _ in CLIPS if clip.name == "hdr.mkv")
    source = make(tmp_path, clip)
    for codec in ("h265", "av1", "h264"):
        target = tmp_path / f"{codec}.mkv"
        run(source, target, codec=codec)
        (old, *_), (new, *_) = shown(source)[0], shown(target)[0]
        assert new.format.name == "yuv420p10le"
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            assert getattr(new, name) == getattr(old, name) == _BT2020[name]
        assert Static.of(old).light == Static.of(new).light == (1000, 400)
        told = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.0001, 1000)
        assert Static.of(new).mastering == pytest.approx(told, abs=1e-4)  # AV1 counts in 1/65536 and 1/256


def test_small_untagged_video_says_what_it_is_when_it_becomes_large(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("sd.mkv", size=(240, 64), frames=2))
    run(source, tmp_path / "hd.mkv", scale=3)
    frame = shown(tmp_path / "hd.mkv")[0][0]
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (6, 6, 6)


def test_what_a_container_cannot_hold_is_named_before(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("film.mkv", subtitles="subrip", sounds=(Sound(),)))
    started, finished = run(source, tmp_path / "film.mp4")
    assert started.warnings == ("not kept: stream 2 (subtitle, srt), which mp4 cannot hold",)
    assert finished.note == started.warnings[0]
    assert len(packets(tmp_path / "film.mp4")) == 1


def test_a_part_keeps_sound_and_image_together(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("long.mkv", frames=50, sounds=(Sound("flac"),)))
    run(source, tmp_path / "part.mkv", start=0.8, stop=1.6)
    times = shown(tmp_path / "part.mkv")[1]
    assert times == pytest.approx([k / 25 for k in range(20)], abs=0.00101)
    (before,), (after,) = packets(source).values(), packets(tmp_path / "part.mkv").values()
    kept = [(seconds - Fraction(4, 5), data) for seconds, data in before if Fraction(4, 5) <= seconds < Fraction(8, 5)]
    assert [data for _, data in kept] == [data for _, data in after]
    assert float(kept[0][0]) == pytest.approx(float(after[0][0]), abs=0.00101)


def test_a_cover_stays_a_cover(tmp_path: Path) -> None:
    source, png = make(tmp_path, Clip("a.mp4")), make(tmp_path, Clip("b.mov", "png", "rgb24", frames=1))
    covered = tmp_path / "covered.mp4"
    with av.open(str(source)) as film, av.open(str(png)) as cover, av.open(str(covered), "w") as file:
        streams = [file.add_stream_from_template(each.streams.video[0]) for each in (film, cover)]
        streams[1].disposition = Disposition.attached_pic
        for each, stream in zip((film, cover), streams, strict=True):
            for packet in each.demux():
                if packet.size:
                    packet.dts = packet.pts if packet.dts is None else packet.dts
                    packet.stream = stream
                    file.mux(packet)
    started, _ = run(covered, tmp_path / "larger.mp4")
    assert not started.warnings
    with av.open(str(tmp_path / "larger.mp4")) as file, av.open(str(png)) as cover:
        kept = next(s for s in file.streams.video if s.disposition & Disposition.attached_pic)
        assert kept.codec_context.name == "png"
        assert bytes(next(file.demux(kept))) == bytes(next(cover.demux()))


@pytest.mark.parametrize(("ending", "start"), [(".mp4", 0.13), (".mov", 0.13), (".mkv", 0.13), (".mp4", 0.1234)])
def test_a_part_that_begins_between_two_frames(tmp_path: Path, ending: str, start: float) -> None:
    source = make(tmp_path, Clip("plain.mp4", sounds=(Sound(),)))
    target = tmp_path / f"part{ending}"
    run(source, target, start=start, stop=0.3)
    expected = [time - start for time in shown(source)[1] if start <= time < 0.3]
    tick = 1e-3 if ending == ".mkv" else 1e-4
    assert expected
    assert expected[0] > 0
    assert shown(target)[1] == pytest.approx(expected, abs=tick)


@pytest.mark.parametrize(
    ("start", "stop", "seen", "times"),
    [
        (1.0, 2.0, [2], [0.0]),  # within the frame of 0.08 s, which stays until 3 s
        (1.0, 4.0, [2, 3], [0.0, 2.0]),
        (5.1, 5.2, [4], [0.0]),  # the last one
        (0.05, 0.07, [1], [0.0]),  # shorter than a frame
        (3.0, 4.0, [3], [0.0]),
    ],
)
def test_a_part_begins_with_the_frame_that_is_on_the_screen(
    tmp_path: Path, start: float, stop: float, seen: list[int], times: list[float]
) -> None:
    source = make(tmp_path, Clip("slow.mkv", "ffv1", times=(0, 40, 80, 3000, 5000, 5400)))
    run(source, tmp_path / "whole.mkv", codec="ffv1")
    run(source, tmp_path / "part.mkv", codec="ffv1", start=start, stop=stop)
    (whole, _), (part, found) = shown(tmp_path / "whole.mkv"), shown(tmp_path / "part.mkv")
    assert [frame.to_ndarray().tobytes() for frame in part] == [whole[k].to_ndarray().tobytes() for k in seen]
    assert found == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize(("start", "stop"), [(0.0, None), (0.01, None), (0.05, 0.13), (0.0, 0.12), (0.1, 9.0)])
def test_as_many_frames_are_announced_as_are_written(tmp_path: Path, start: float, stop: float | None) -> None:
    started, _ = run(make(tmp_path, Clip("film.mkv")), tmp_path / "part.mkv", start=start, stop=stop)
    assert started.frames == len(shown(tmp_path / "part.mkv")[0])


def test_a_size_that_the_colours_round_is_said(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("film.mkv"))
    started, _ = run(source, tmp_path / "film.mp4", scale=None, size="101x77")
    assert started.warnings == ("101x77 becomes 102x78, so that the colours of yuv420p have whole sides",)
    frames, _ = shown(tmp_path / "film.mp4")
    assert (frames[0].width, frames[0].height) == (102, 78)

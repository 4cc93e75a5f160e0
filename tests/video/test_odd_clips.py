"""Odd clips: how long they last, what nobody tells of them, gray and floats everywhere, names, and two at once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Clip, Sound, make, request, run

from subpixel.errors import BadRequest, DataError, UnreadableImage, UnwritableImage
from subpixel.jobs.pool import Finished
from subpixel.video.planes import Layout
from subpixel.video.upscaling import upscale

_START = b"\0\0\0\1"


def retimed(source: Path, target: Path, video: int = 0, sound: int = 0, last: int | None = None) -> Path:
    """The same packets, so many milliseconds later; last: how many the last frame stays."""
    with av.open(str(source)) as given, av.open(str(target), "w") as file:
        streams = [file.add_stream_from_template(stream, opaque=True) for stream in given.streams]
        found = [packet for packet in given.demux() if packet.size]
        end = max((p for p in found if p.stream.type == "video"), key=lambda p: p.pts or 0)
        for packet in found:
            assert packet.pts is not None
            packet.dts = packet.pts if packet.dts is None else packet.dts
            later = round(Fraction(video if packet.stream.type == "video" else sound, 1000) / packet.time_base)
            packet.pts, packet.dts = packet.pts + later, packet.dts + later
            if packet is end and last:
                packet.duration = round(Fraction(last, 1000) / packet.time_base)
            packet.stream = streams[packet.stream.index]
            file.mux(packet)
    return target


def lengths(path: Path) -> list[float]:
    """How long each frame stays, as its packet says."""
    with av.open(str(path)) as file:
        found = sorted((p for p in file.demux(video=0) if p.size), key=lambda p: p.pts or 0)
        return [float((packet.duration or 0) * packet.time_base) for packet in found]


@pytest.mark.parametrize("ending", ["mkv", "webm", "mp4"])
@pytest.mark.parametrize(("video", "sound"), [(0, 3000), (5000, 5000), (2000, 0), (0, 0)])
def test_nothing_is_missing_where_sound_is_later(ending: str, video: int, sound: int, tmp_path: Path) -> None:
    """Matroska tells when the whole file ends: later than the video was called missing, with status 1."""
    codec = "libvpx" if ending == "webm" else "libx264"
    clip = Clip(f"a.{ending}", codec, sounds=(Sound("libopus"),), options={"bf": "0"} if codec == "libx264" else {})
    source = retimed(make(tmp_path, clip), tmp_path / f"b.{ending}", video, sound)
    started, finished = run(source, tmp_path / "larger.mkv")
    assert finished.error is None
    assert started.frames is not None
    assert started.frames >= clip.frames


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
@pytest.mark.parametrize("into", ["mkv", "mp4"])
def test_the_last_frame_stays_as_long_as_it_did(ending: str, into: str, tmp_path: Path) -> None:
    clip = Clip(f"a.{ending}", frames=5, options={"bf": "0"})
    source = retimed(make(tmp_path, clip), tmp_path / f"b.{ending}", last=3000)
    assert lengths(source)[-1] == 3.0
    _, finished = run(source, tmp_path / f"larger.{into}")
    assert finished.error is None
    assert lengths(tmp_path / f"larger.{into}") == pytest.approx([0.04] * 4 + [3.0], abs=1e-3)


def test_a_part_ends_where_it_ends(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("slow.mkv", "ffv1", times=(0, 40, 80, 3000, 5000)))
    run(source, tmp_path / "part.mp4", codec="h264", start=1.0, stop=4.5)
    assert lengths(tmp_path / "part.mp4") == pytest.approx([2.0, 1.5], abs=1e-3)


@pytest.mark.parametrize("name", ["gray", "gray10le"])
@pytest.mark.parametrize("ending", ["webm", "mkv"])
def test_gray_becomes_av1_without_colour(name: str, ending: str, tmp_path: Path) -> None:
    source = make(tmp_path, Clip("gray.mkv", "ffv1", name, frames=3))
    run(source, tmp_path / f"larger.{ending}", codec="av1", quality=90)
    with av.open(str(tmp_path / f"larger.{ending}")) as file:
        frame = next(file.decode(video=0))
    assert frame.format.name == ("yuv420p" if name == "gray" else "yuv420p10le")
    middle = 128 if name == "gray" else 512
    for plane in frame.planes[1:]:
        codes = np.frombuffer(plane, np.uint8 if name == "gray" else np.uint16)
        assert np.abs(codes.reshape(plane.height, -1)[:, : plane.width].astype(int) - middle).max() <= 1


@pytest.mark.parametrize(("name", "kept"), [("gbrpf32le", "gbrp16le"), ("gbrapf32le", "gbrap16le")])
def test_floats_become_codes_of_16_bits(name: str, kept: str) -> None:
    assert Layout.of(av.VideoFormat(name, 8, 8)).name == kept


def test_what_no_encoder_is_given_is_named(tmp_path: Path) -> None:
    """Captions in a unit of their own before each picture (CTA-708, in ITU-T T.35)."""
    plain = make(tmp_path, Clip("plain.h264", frames=3))
    told = bytes([0xB5, 0, 0x31, *b"GA94", 3, 0x41, 0xFF, 0xFC, 0x94, 0x2C, 0xFF])
    captions = _START + bytes([6, 4, len(told)]) + told + b"\x80"
    units = [unit.rstrip(b"\0") for unit in plain.read_bytes().split(b"\0\0\1")[1:]]
    source = tmp_path / "told.h264"
    source.write_bytes(b"".join((captions if unit[0] & 31 in (1, 5) else b"") + _START + unit for unit in units))
    started, _ = run(source, tmp_path / "larger.mkv")
    assert started.warnings == ("not kept: closed captions within the frames (CEA-608, CEA-708)",)


def test_alpha_that_is_not_decoded_is_named_and_not_claimed(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("a.webm", "libvpx-vp9", "yuva420p", options={"auto-alt-ref": "0", "cpu-used": "8"}))
    started, _ = run(source, tmp_path / "larger.webm")
    assert started.warnings == ("not kept: alpha, which is not decoded of vp9",)
    with av.open(str(tmp_path / "larger.webm")) as file:
        assert "alpha_mode" not in {name.lower() for name in file.streams.video[0].metadata}


@pytest.mark.parametrize("target", ["larger.mkv", "frames"])
def test_light_that_a_lossless_result_cannot_tell_is_named(target: str, tmp_path: Path) -> None:
    params = "log-level=none:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    clip = Clip("hdr.mkv", "libx265", "yuv420p10le", frames=2, options={"x265-params": params})
    started, _ = run(make(tmp_path, clip), tmp_path / target, codec="ffv1" if target.endswith("mkv") else "auto")
    codec = "ffv1" if target.endswith("mkv") else "png"
    expected = f"not kept: the display it was mastered on and its light levels, which {codec} has not"
    assert started.warnings[0] == expected


@pytest.mark.parametrize("second", [{"aspect": Fraction(4, 3)}, {"tags": {"color_range": 2, "colorspace": 6}}])
def test_frames_that_tell_something_else_are_counted(second: dict[str, Any], tmp_path: Path) -> None:
    first = {"aspect": Fraction(1)} if "aspect" in second else {"tags": {"color_range": 1, "colorspace": 1}}
    parts = [make(tmp_path, Clip(f"{k}.h264", frames=10, **told)) for k, told in enumerate((first, second))]
    source = tmp_path / "changing.h264"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    _, finished = run(source, tmp_path / "larger.mkv")
    assert isinstance(finished.error, DataError)
    assert "frames tell other colours or another shape of a pixel than the first, whose the result has" in (
        str(finished.error)
    )
    assert run(parts[1], tmp_path / "same.mkv")[1].error is None


@pytest.mark.parametrize("name", ["part:1.mkv", "12:30.mkv", "http:film.mkv", "file:film.mkv", "-o.mkv"])
def test_names_that_look_like_addresses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, Clip("a.mkv", frames=2)).rename(name)
    _, finished = run(Path(name), Path(f"larger:{name}"))
    assert finished.error is None
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"larger:{name}"])


def test_a_size_that_an_encoder_does_not_take_is_one_line(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("tiny.mkv", "ffv1", size=(2, 2), frames=2))
    with pytest.raises(BadRequest, match=r"libx265 does not take 4x4 at 25 frames a second; another --codec may"):
        run(source, tmp_path / "out" / "larger.mkv", codec="h265")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.mkv"]


def test_a_fast_film_becomes_av1(tmp_path: Path) -> None:
    """SVT-AV1 takes no more than 240 frames a second, which says nothing of their times."""
    source = tmp_path / "fast.mkv"
    with av.open(str(source), "w") as file:
        video = file.add_stream("ffv1", rate=1000)
        video.width, video.height = 64, 48
        for k in range(4):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 1000)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    run(source, tmp_path / "larger.mkv", codec="av1")
    with av.open(str(tmp_path / "larger.mkv")) as file:
        assert [frame.time for frame in file.decode(video=0)] == [0.0, 0.001, 0.002, 0.003]


def test_one_result_is_made_once_at_a_time(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv")), tmp_path / "larger.mkv"
    first = upscale(source, target, request())
    next(first)
    with pytest.raises(BadRequest, match=r"larger\.mkv is being made by another process; wait for it"):
        run(source, target)
    assert isinstance(list(first)[-1], Finished)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "larger.mkv"]


def test_a_source_that_changes_meanwhile_gives_no_result(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv")), tmp_path / "larger.mkv"
    events = upscale(source, target, request())
    next(events)
    with source.open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UnreadableImage, match=r"a\.mkv: it has become another while it was read"):
        list(events)
    assert not target.exists()


def test_a_full_disk_is_told_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = make(tmp_path, Clip("a.mkv"))
    monkeypatch.setattr("subpixel.video.segments.Segment.close", fails)
    with pytest.raises(UnwritableImage, match=r"larger\.mkv\.partial/000000\.segment: no space left on device"):
        run(source, tmp_path / "larger.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]

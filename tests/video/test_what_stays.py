"""What was lost without a word, and must be kept or said: results, sound, times, texts, alpha, the file that failed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Clip, Sound, chapter, make, request, run
from test_copying import remuxed

from subpixel.errors import BadRequest, UnwritableImage
from subpixel.video import upscale


def test_a_result_is_replaced_where_that_is_asked_for(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv", frames=2)), tmp_path / "b.mkv"
    target.write_text("the only copy")
    with pytest.raises(BadRequest, match=r"b\.mkv exists; --overwrite replaces it"):
        list(upscale(source, target, request()))
    assert target.read_text() == "the only copy"
    list(upscale(source, target, request(), overwrite=True))
    assert target.stat().st_size > 500
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]


def film(path: Path, seconds: float, begins: float = 0.0, rate: int = 25, size: tuple[int, int] = (48, 64)) -> Path:
    """Noise, which takes many bytes, as frames and from `begins` on as sound."""
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream("mpeg4" if path.suffix == ".avi" else "mpeg2video", rate=rate)
        video.height, video.width, video.pix_fmt, video.bit_rate = *size, "yuv420p", 9_000_000
        tone: Any = file.add_stream("mp2", rate=48000)
        tone.layout = "stereo"
        packets, rng = list[Any](), np.random.default_rng(0)
        for k in range(round(rate * seconds)):
            noise = rng.integers(0, 255, (size[0] * 3 // 2, size[1]), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, rate)
            packets += video.encode(frame)
        for at in range(round(48000 * begins), round(48000 * seconds), 1152):
            noise = rng.integers(-9999, 9999, (1, 2 * 1152), np.int16)
            heard = av.AudioFrame.from_ndarray(noise, "s16", "stereo")
            heard.sample_rate, heard.pts, heard.time_base = 48000, at, Fraction(1, 48000)
            packets += tone.encode(heard)
        packets += [*video.encode(None), *tone.encode(None)]
        file.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    return path


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    """The packets of frames or of sound, each with its seconds."""
    with av.open(str(path), options={"analyzeduration": "99000000", "probesize": "99000000"}) as file:
        found = [packet for packet in file.demux() if packet.size and packet.stream.type == kind]
        return sorted((float(packet.pts * packet.time_base), bytes(packet)) for packet in found)


@pytest.mark.parametrize(("name", "begins", "size"), [("a.ts", 14, (48, 64)), ("a.mpg", 6, (128, 160))])
def test_sound_that_begins_late_is_kept(name: str, begins: int, size: tuple[int, int], tmp_path: Path) -> None:
    """Beyond the 5 MB and the seconds that are looked at, nothing was known of it."""
    source, target = film(tmp_path / name, begins + 2, begins, size=size), tmp_path / "b.mkv"
    started, finished = run(source, target, scale=1)
    assert (started.warnings, finished.error) == ((), None)
    before, after = packets(source, "audio"), packets(target, "audio")
    assert len(before) > 80
    assert [data for _, data in after] == [data for _, data in before]
    moved = packets(source, "video")[0][0] - packets(target, "video")[0][0]
    assert [time for time, _ in after] == pytest.approx([time - moved for time, _ in before], abs=2e-3)
    assert after[0][0] == pytest.approx(begins, abs=0.1)


def test_sound_that_never_begins_is_said_to_be_unknown(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.ts", 16, 14).read_bytes()
    pieces = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    silent = [piece for piece in pieces if (piece[1] & 0x1F, piece[2]) != (1, 1)]
    assert len(silent) < len(pieces)
    (tmp_path / "silent.ts").write_bytes(b"".join(silent))
    started, _ = run(tmp_path / "silent.ts", tmp_path / "b.mkv", scale=1)
    assert started.warnings == (
        "not kept: stream 1 (audio, mp3float), which does not begin in the first 60 s, or 64 MiB: "
        "it is not known what it is",
    )


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("start", "named"), [(0.95, "a.avi"), (0.13, "a.avi"), (0.13, "a.mkv"), (0.2, "a.avi")])
def test_sound_stays_with_the_frames(start: float, named: str, ending: str, tmp_path: Path) -> None:
    """Where the source counts frames in tenths of a second, and sound in 24 ms."""
    source, target = film(tmp_path / named, 2, rate=10), tmp_path / f"b.{ending}"
    run(source, target, start=start)
    after, place = packets(target, "audio"), {data: time for time, data in packets(source, "audio")}
    assert len(after) >= 40
    assert [time for time, _ in after] == pytest.approx([place[data] - start for _, data in after], abs=1e-3)
    frames = [time - start for time, _ in packets(source, "video") if time >= start]
    assert [time for time, _ in packets(target, "video")] == pytest.approx(frames, abs=1e-3)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_texts_of_streams_and_chapters_are_kept_or_named(ending: str, tmp_path: Path) -> None:
    def describe(file: Any, streams: list[Any]) -> None:
        first, second = chapter(1, 100, 160, "first"), chapter(2, 160, 320, "second")
        file.set_chapters([first | {"metadata": {"title": "first", "artist": "me"}}, second])
        streams[0].metadata.update({"title": "The film", "director": "me"})
        streams[1].metadata.update({"title": "Comments"})

    source = remuxed(make(tmp_path, Clip("a.mkv", sounds=(Sound(),))), tmp_path / "b.mkv", describe)
    started, _ = run(source, tmp_path / f"c.{ending}")
    lost = ("the texts ARTIST of the chapters", "the texts DIRECTOR of stream 0") if ending != "mkv" else ()
    assert started.warnings == tuple(f"not kept: {what}, which {ending} cannot hold" for what in lost)
    with av.open(str(tmp_path / f"c.{ending}")) as file:
        starts = {each["metadata"]["title"]: float(each["start"] * each["time_base"]) for each in file.chapters()}
        titles = [stream.metadata.get("title", stream.metadata.get("name")) for stream in list(file.streams)[:2]]
    assert starts == pytest.approx({"first": 0.1, "second": 0.16} | ({"": 0.0} if lost else {}))
    assert titles == ["The film", "Comments"]


def test_texts_and_chapters_have_no_place_in_a_folder(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("a.mkv", chapters=True, title="In two parts"))
    expected = ("the texts title", "the chapters")
    warnings = run(source, tmp_path / "frames")[0].warnings
    assert warnings[:2] == tuple(f"not kept: {what}, which folder cannot hold" for what in expected)
    assert len(warnings) == 3  # and the times


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("name", ["a.gif", "a.mov"])
def test_alpha_is_lost_only_where_a_pixel_is_transparent(name: str, transparent: bool, tmp_path: Path) -> None:
    source, indices = tmp_path / name, np.arange(32 * 48, dtype=np.uint8).reshape(32, 48) % 5
    palette = np.full((256, 4), 255, np.uint8)
    palette[:, 1] = 40 * np.arange(256)
    palette[3, 0] = 0 if transparent else 255  # of A R G B
    with av.open(str(source), "w") as file:
        video: Any = file.add_stream("gif" if name == "a.gif" else "png", rate=25)
        video.width, video.height, video.pix_fmt = 48, 32, "pal8"
        for k in range(3):
            shown = indices if k == (0 if name == "a.gif" else 2) else np.zeros_like(indices)
            frame = av.VideoFrame.from_ndarray((shown, palette), "pal8")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    started, _ = run(source, tmp_path / "b.mp4")
    assert ("not kept: alpha, which h264 has not" in started.warnings) == transparent
    if name == "a.mov":
        assert "not kept: alpha, which h264 has not" not in run(source, tmp_path / "b.mp4", stop=0.08)[0].warnings


def test_a_disk_that_is_full_is_told_with_the_image_or_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    source, limits = make(tmp_path, Clip("a.mkv")), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(UnwritableImage, match=r"^cannot write \S+/frames\.partial/images/000001\.png: [^/]*$"):
            run(source, tmp_path / "frames")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("subpixel.atomic.resemble", fails)
    with pytest.raises(UnwritableImage, match=r"^cannot write \S+/b\.mkv: no space left on device$"):
        run(source, tmp_path / "b.mkv")


@pytest.mark.parametrize(
    ("size", "fit", "shown", "rotation"),
    [
        ("96x200", False, (96, 200), 90),
        ("x200", False, (150, 200), 90),
        ("97x", False, (98, 130), -90),
        ("97x", False, (98, 130), 180),
        ("300x180", True, (136, 180), 90),
    ],
)
def test_a_size_is_that_on_the_screen(
    size: str, fit: bool, shown: tuple[int, int], rotation: int, tmp_path: Path
) -> None:
    sides = (48, 64) if rotation != 180 else (64, 48)  # on the screen it is 48 wide and 64 high
    source, target = make(tmp_path, Clip("a.mp4", size=sides, frames=2, rotation=rotation)), tmp_path / "b.mp4"
    started, _ = run(source, target, scale=None, size=size, fit=fit)
    with av.open(str(target)) as file:
        video = next(file.decode(video=0))
    assert ((video.height, video.width) if rotation != 180 else (video.width, video.height)) == shown
    assert (" becomes 98x130, " in "".join(started.warnings)) == (size == "97x")

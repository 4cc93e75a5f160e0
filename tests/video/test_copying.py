"""What is copied: what a container makes itself is not copied twice, what it refuses is counted, its texts are true."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from clips import Clip, Sound, chapter, make, run

from subpixel.errors import DataError


def remuxed(source: Path, target: Path, describe: Callable[[Any, list[Any]], object]) -> Path:
    """The same packets in another file, which is described before they go in."""
    with av.open(str(source)) as given, av.open(str(target), "w") as file:
        streams = [file.add_stream_from_template(stream, opaque=True) for stream in given.streams]
        describe(file, streams)
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                file.mux(packet)
    return target


def with_texts(**texts: str) -> Callable[[Any, list[Any]], object]:
    return lambda file, _: file.metadata.update(texts)


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


def timed(path: Path) -> Path:
    """A film with a timecode, from whose text FFmpeg makes a track."""
    with av.open(str(path), "w") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.width, video.height, video.metadata["timecode"] = 64, 48, "01:00:00:00"
        file.start_encoding()
        for k in range(5):
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
    return path


@pytest.mark.parametrize("ending", ["mov", "mp4", "mkv"])
def test_a_timecode_is_told_once(ending: str, tmp_path: Path) -> None:
    """MOV makes its track of it: beside a copy of that it refused its own end, when all the work was done."""
    target = tmp_path / f"larger.{ending}"
    started, _ = run(timed(tmp_path / "timed.mov"), target)
    assert not started.warnings
    with av.open(str(target)) as file:
        video = {name.lower(): text for name, text in file.streams.video[0].metadata.items()}
        assert video["timecode"] == "01:00:00:00"
        assert [stream.type for stream in file.streams] == (["video"] if ending == "mkv" else ["video", "data"])


@pytest.mark.parametrize("given", ["mov", "mkv"])
def test_a_timecode_of_what_is_cut_off_is_left_out(given: str, tmp_path: Path) -> None:
    target = tmp_path / "part.mov"
    started, _ = run(timed(tmp_path / f"timed.{given}"), target, start=0.08)
    assert started.warnings == ("not kept: the timecode, which is that of the source's first frame",)
    with av.open(str(target)) as file:
        assert not [part for part in (file, *file.streams) if "timecode" in part.metadata]


def test_the_track_of_chapters_is_made_anew(tmp_path: Path) -> None:
    """It was called lost, though the chapters were there."""
    chapters = [chapter(1, 0, 160, "first"), chapter(2, 160, 320, "second")]
    source = remuxed(make(tmp_path, Clip("a.mp4")), tmp_path / "b.mp4", lambda file, _: file.set_chapters(chapters))
    started, _ = run(source, tmp_path / "larger.mp4")
    assert not started.warnings
    with av.open(str(tmp_path / "larger.mp4")) as file:
        assert [chapter["metadata"]["title"] for chapter in file.chapters()] == ["first", "second"]


@pytest.mark.parametrize("ending", ["mov", "mp4", "mkv", "webm"])
def test_when_it_was_recorded_stays(ending: str, tmp_path: Path) -> None:
    when = "2020-05-06T07:08:09.000000Z"
    source = remuxed(make(tmp_path, Clip("a.mp4")), tmp_path / "b.mp4", with_texts(creation_time=when))
    started, _ = run(source, tmp_path / f"larger.{ending}")
    assert not started.warnings
    with av.open(str(tmp_path / f"larger.{ending}")) as file:
        assert file.metadata["creation_time"] == when


def test_texts_and_languages_that_have_no_room_are_named(tmp_path: Path) -> None:
    def describe(file: Any, streams: list[Any]) -> None:
        file.metadata.update({"title": "A film", "director": "me", "synopsis": "they meet"})
        streams[1].metadata["language"] = "zul"

    source = remuxed(make(tmp_path, Clip("a.mkv", sounds=(Sound(),))), tmp_path / "b.mkv", describe)
    assert run(source, tmp_path / "larger.mkv")[0].warnings == ()
    assert run(source, tmp_path / "larger.mp4")[0].warnings == ("not kept: the texts DIRECTOR, which mp4 cannot hold",)
    assert run(source, tmp_path / "larger.mov")[0].warnings == (
        "not kept: the texts DIRECTOR, SYNOPSIS, which mov cannot hold",
        "not kept: the language zul of stream 1, which mov cannot hold",
    )
    assert "not kept: the texts DIRECTOR, SYNOPSIS, title, which folder cannot hold" in (
        run(source, tmp_path / "frames")[0].warnings
    )


def test_counts_are_only_kept_where_they_are_true(tmp_path: Path) -> None:
    def describe(_: Any, streams: list[Any]) -> None:
        for stream in streams:
            stream.metadata.update({"BPS": "1234", "NUMBER_OF_BYTES": "777"})

    source = remuxed(make(tmp_path, Clip("a.mkv", sounds=(Sound(),))), tmp_path / "b.mkv", describe)
    found: list[set[str]] = []
    for part in ({}, {"stop": 0.2}):
        run(source, tmp_path / "larger.mkv", **part)
        with av.open(str(tmp_path / "larger.mkv")) as file:
            found += [{"BPS", "NUMBER_OF_BYTES"} & set(stream.metadata) for stream in file.streams]
    assert found == [set(), {"BPS", "NUMBER_OF_BYTES"}, set(), set()]


def test_a_streams_title_goes_from_mp4_to_matroska(tmp_path: Path) -> None:
    source = remuxed(
        make(tmp_path, Clip("a.mp4", sounds=(Sound(),))),
        tmp_path / "b.mp4",
        lambda _, streams: streams[1].metadata.update({"title": "Kommentar"}),
    )
    run(source, tmp_path / "larger.mkv")
    with av.open(str(tmp_path / "larger.mkv")) as file:
        assert file.streams[1].metadata["title"] == "Kommentar"


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_times_that_begin_anew_in_the_middle(ending: str, tmp_path: Path) -> None:
    """As in recordings that are put together: their second half has passed, which no container takes."""
    once = make(tmp_path, Clip("once.ts", frames=20, sounds=(Sound("mp2"),)))
    twice, target = tmp_path / "twice.ts", tmp_path / f"larger.{ending}"
    twice.write_bytes(once.read_bytes() * 2)
    _, finished = run(twice, target)
    assert isinstance(finished.error, DataError)
    assert "20 frames have no time of their own, or one that has passed, and are left out; " in str(finished.error)
    before, after = sound(once), sound(target)
    assert before == after[: len(before)]
    refused = len(sound(twice)) - len(after)
    assert f"{refused} packets of other streams are damaged or out of order, and left out" in str(finished.error)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["once.ts", "twice.ts", target.name])


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_sound_that_lacks_a_piece(ending: str, tmp_path: Path) -> None:
    """AAC is unwrapped on its way out of a transport stream, which fails for what does not begin as it should."""
    source = make(tmp_path, Clip("whole.ts", frames=60, sounds=(Sound("aac"),)))
    whole, lost = source.read_bytes(), tmp_path / "lost.ts"
    pieces = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    of_sound = [k for k, piece in enumerate(pieces) if (piece[1] & 0x1F, piece[2]) == (1, 1)]
    lost.write_bytes(b"".join(piece for k, piece in enumerate(pieces) if k not in of_sound[9::9]))
    before = sound(lost)
    _, finished = run(lost, tmp_path / f"larger.{ending}")
    left_out = len(before) - len(sound(tmp_path / f"larger.{ending}"))
    assert left_out >= 1
    assert f"{left_out} packets of other streams are damaged" in str(finished.error)


def test_data_that_nobody_decodes_is_copied(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.ts"), "w") as file:
        video, data = file.add_stream("mpeg4", rate=25), file.add_data_stream("bin_data")
        video.width, video.height = 64, 48
        file.start_encoding()
        for k in range(3):
            frame, packet = av.VideoFrame(64, 48, "yuv420p"), av.Packet(bytes([0, k]))
            frame.pts, frame.time_base = k, Fraction(1, 25)
            file.mux(video.encode(frame))
            packet.stream, packet.time_base, packet.pts, packet.dts = data, Fraction(1, 25), k, k
            file.mux_one(packet)
        file.mux(video.encode(None))
    _, finished = run(tmp_path / "film.ts", tmp_path / "larger.mov")
    assert finished.error is None
    with av.open(str(tmp_path / "larger.mov")) as file:
        copied = [bytes(packet) for packet in file.demux(data=0) if packet.size]
    assert copied == [b"\0\0", b"\0\1", b"\0\2"]  # the last has no length, by which MOV ends

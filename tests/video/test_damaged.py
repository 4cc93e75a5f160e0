"""Bad input: one line and nothing written, or what can be decoded is kept and the rest counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Clip, Sound, make

from subpixel.errors import BadRequest, DataError, UnreadableImage
from subpixel.jobs.pool import Finished
from subpixel.video.damage import decoded
from subpixel.video.decoder_log import DecoderLog, complaint_times
from subpixel.video.request import VideoRequest, seconds
from subpixel.video.source import probe
from subpixel.video.upscaling import Started, upscale

_KEY = "0123456789abcdef0123456789abcdef"


def end(source: Path, target: Path, **asked: Any) -> Finished:
    events = list(upscale(source, target, VideoRequest.parse({"model": "bicubic", "scale": 2} | asked)))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    return events[-1]


def count(path: Path) -> int:
    with av.open(str(path)) as file:
        return sum(1 for _ in file.decode(video=0))


def empty(folder: Path) -> Path:
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def text(folder: Path) -> Path:
    (folder / "text.mp4").write_text("this is no film\n" * 99)
    return folder / "text.mp4"


def cut_off(folder: Path) -> Path:
    """An MP4 without the index at its end."""
    path = make(folder, Clip("cut.mp4", frames=30))
    path.write_bytes(path.read_bytes()[:-1500])
    return path


def encrypted(folder: Path) -> Path:
    plain, path = make(folder, Clip("plain.mp4")), folder / "encrypted.mp4"
    options = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": _KEY, "encryption_kid": _KEY}
    with av.open(str(plain)) as given, av.open(str(path), "w", options=options) as file:
        stream = file.add_stream_from_template(given.streams.video[0])
        for packet in given.demux():
            if packet.size:
                packet.stream = stream
                file.mux(packet)
    return path


def only_sound(folder: Path) -> Path:
    film, path = make(folder, Clip("film.mkv", sounds=(Sound("flac"),))), folder / "sound.mka"
    with av.open(str(film)) as given, av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(given.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                file.mux(packet)
    return path


@pytest.mark.parametrize(
    ("make_file", "why"),
    [
        (empty, "the file is empty"),
        (text, "it is no video, or cut off"),
        (cut_off, "it is no video, or cut off"),
        (encrypted, "damaged, encrypted, or not supported"),
        (only_sound, "there is no video in it"),
        (lambda folder: folder / "nothing.mkv", "no such file"),
        (lambda folder: folder, "there is no image in it"),
    ],
)
def test_nothing_is_written(make_file: Callable[[Path], Path], why: str, tmp_path: Path) -> None:
    source, folder = make_file(tmp_path), tmp_path / "results"
    folder.mkdir()
    with pytest.raises(UnreadableImage, match=why) as raised:
        list(upscale(source, folder / "larger.mkv"))
    assert "\n" not in str(raised.value)
    assert not list(folder.iterdir())


def test_what_is_encrypted_is_not_taken_for_frames(tmp_path: Path) -> None:
    """Noise may decode: one film in twenty did, with one key."""
    with av.open(str(encrypted(tmp_path))) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
        assert [decoded(packet) for packet in packets] == [None] * 8


def test_a_film_that_breaks_off_is_kept_to_there(tmp_path: Path) -> None:
    path = make(tmp_path, Clip("film.mkv", "ffv1", frames=100))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    finished = end(path, tmp_path / "larger.mkv")
    assert isinstance(finished.error, DataError)
    kept = count(tmp_path / "larger.mkv")
    assert 40 <= kept <= 55
    assert f"the last {(100 - kept) / 25:.1f} s are missing; what could be decoded is in" in str(finished.error)


def test_flipped_bytes_are_counted(tmp_path: Path) -> None:
    path = make(tmp_path, Clip("film.mkv", "mpeg2video", frames=60, size=(96, 128)))
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(0)
    for place in rng.integers(len(content) // 4, len(content) - 2000, 6):
        content[place] ^= 255
    path.write_bytes(content)
    finished = end(path, tmp_path / "larger.mkv")
    assert isinstance(finished.error, DataError)
    assert "frames are damaged" in str(finished.error) or "cannot be decoded" in str(finished.error)
    assert count(tmp_path / "larger.mkv") >= 50


@pytest.mark.parametrize(("codec", "name"), [("ffv1", "film.mkv"), ("libx265", "film.mkv"), ("mjpeg", "film.avi")])
def test_what_a_decoder_patches_up_in_silence_is_counted(codec: str, name: str, tmp_path: Path) -> None:
    """Of six flipped bytes those that libav notices; FFV1 has a checksum for each slice, and all are."""
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make(tmp_path, Clip(name, codec, pixels, frames=60, size=(96, 128), options=options))
    whole, found = path.read_bytes(), None
    for seed in (1, 3, 7, 4):  # which flips libav notices is not the same in all its versions
        content, rng = bytearray(whole), np.random.default_rng(seed)
        for place in rng.integers(len(content) // 4, len(content) * 3 // 4, 6):
            content[place] ^= 255
        path.write_bytes(content)
        found = found or re.search(r"(\d+) frames are damaged", str(end(path, tmp_path / f"{seed}.mkv").error))
    assert found is not None
    assert int(found[1]) == 6 if codec == "ffv1" else 1 <= int(found[1]) <= 6


def test_of_a_part_no_more_is_decoded_again_than_the_part(tmp_path: Path) -> None:
    path = make(tmp_path, Clip("film.mkv", "ffv1", frames=250))
    content = bytearray(path.read_bytes())
    for eighth in range(8):
        content[len(content) * (2 * eighth + 1) // 16] ^= 255
    path.write_bytes(content)
    source = probe(path)

    def listened(start: float, stop: float | None) -> tuple[int, list[float]]:
        with DecoderLog(source, start, stop) as log:
            count = log.frames()
            log._log.seek(0)
            times = list(complaint_times(log._log.readlines()))
            log._log.seek(0)
            decoded = sum(line.startswith(b"packet ") for line in log._log) - 1
        assert count == sum(start <= time < (stop or 99) for time in times)
        return decoded, times

    whole, every = listened(0, None)
    assert whole >= 250
    assert len(every) == 8
    for start, stop in [(4.0, 5.0), (0.0, 2.0), (9.0, None)]:
        decoded, times = listened(start, stop)
        inside = [time for time in every if start <= time < (stop or 99)]
        assert [time for time in times if start <= time < (stop or 99)] == inside
        assert decoded <= 25 * ((stop or 10.0) - max(0.0, start - 2) + 1)  # the places that can be sought lie apart


def test_complaints_belong_to_the_packet_that_follows() -> None:
    lines = [b"[x] of the header", b"packet nan -1", b"packet 0.04 1", b"[x] bad", b"[x] worse", b"packet 0.08 1",
             b"[x] an error", b"packet 0.12 -1", b"packet 0.16 2"]  # fmt: skip
    assert list(complaint_times(lines)) == [0.08]


def test_frames_of_another_size_are_left_out(tmp_path: Path) -> None:
    parts = [make(tmp_path, Clip(f"{n}.h264", size=(48, width), frames=10)) for n, width in enumerate((64, 80))]
    path = tmp_path / "changing.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    finished = end(path, tmp_path / "larger.mkv")
    assert "10 frames have another size and are left out" in str(finished.error)
    assert count(tmp_path / "larger.mkv") == 10


def test_without_timestamps_the_rate_gives_them(tmp_path: Path) -> None:
    path = make(tmp_path, Clip("stream.h264", frames=12))
    assert end(path, tmp_path / "larger.mp4").error is None
    with av.open(str(tmp_path / "larger.mp4")) as file:
        times = [frame.time for frame in file.decode(video=0)]
    assert np.diff(times) == pytest.approx(np.full(11, 0.04), abs=1e-6)


def test_wishes_that_make_no_sense(tmp_path: Path) -> None:
    source = make(tmp_path, Clip("film.mkv"))
    for asked, name, why in (
        ({}, "larger.avi", "ends in '.avi'; expected .mkv"),
        ({"codec": "ffv1"}, "larger.mp4", "ffv1 fits in .mkv"),
        ({"start": 9.0}, "larger.mkv", "ends at 0.3 s"),
        ({"start": 0.2, "stop": 0.1}, "larger.mkv", "is empty"),
        ({}, "film.mkv", "is the input"),
    ):
        with pytest.raises(BadRequest, match=why):
            list(upscale(source, tmp_path / name, VideoRequest.parse({"model": "bicubic"} | asked)))
    with pytest.raises(BadRequest, match="codec"):
        VideoRequest.parse({"codec": "divx"})
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


@pytest.mark.parametrize(("text", "value"), [("5s", 5.0), ("90", 90.0), ("1:30", 90.0), ("1:02:03.5", 3723.5)])
def test_times(text: str, value: float) -> None:
    assert seconds(text) == value


def test_no_time() -> None:
    with pytest.raises(BadRequest, match="expected seconds"):
        seconds("soon")

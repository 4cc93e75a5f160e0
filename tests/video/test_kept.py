"""What was lost without a word, and must be kept or said: results, sound, times, texts, alpha, the file that failed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Clip, make, request, run

from subpixel.errors import BadRequest
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


def late(path: Path, begins: float, sound: str = "mp2", size: tuple[int, int] = (48, 64)) -> Path:
    """A film of two seconds more than that, whose sound begins then; noise, which takes many bytes."""
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream("mpeg2video", rate=25, options={"b": "9000000", "qmin": "1"})
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        tone: Any = file.add_stream(sound, rate=48000)
        tone.layout = "stereo"
        packets, rng = list[Any](), np.random.default_rng(0)
        for k in range(round(25 * (begins + 2))):
            noise = rng.integers(0, 255, (size[0] * 3 // 2, size[1]), np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            packets += video.encode(frame)
        wave = np.zeros((1, 2 * 1152), np.int16) + 99
        for k in range(80):
            heard = av.AudioFrame.from_ndarray(wave, "s16", "stereo")
            heard.sample_rate, heard.pts, heard.time_base = 48000, round(48000 * begins) + 1152 * k, Fraction(1, 48000)
            packets += tone.encode(heard)
        packets += [*video.encode(None), *tone.encode(None)]
        file.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    return path


def heard(path: Path) -> list[tuple[float, bytes]]:
    """The packets of the sound with their times, which are counted from the first frame."""
    with av.open(str(path), options={"analyzeduration": "99000000", "probesize": "99000000"}) as file:
        found = [packet for packet in file.demux() if packet.size]
        first = min(float(packet.pts * packet.time_base) for packet in found if packet.stream.type == "video")
        return [(float(p.pts * p.time_base) - first, bytes(p)) for p in found if p.stream.type == "audio"]


@pytest.mark.parametrize(("name", "size"), [("a.ts", (48, 64)), ("a.mpg", (128, 160))])
def test_sound_that_begins_late_is_kept(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    """Beyond the 5 MB and the seconds that are looked at, nothing was known of it."""
    source, target = late(tmp_path / name, 14, size=size), tmp_path / "b.mkv"
    started, finished = run(source, target, scale=1)
    assert (started.warnings, finished.error) == ((), None)
    before, after = heard(source), heard(target)
    assert len(before) == 80
    assert [data for _, data in after] == [data for _, data in before]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=1.1e-3)
    assert before[0][0] == pytest.approx(14, abs=0.1)


def test_sound_that_never_begins_is_said_to_be_unknown(tmp_path: Path) -> None:
    whole = late(tmp_path / "a.ts", 14).read_bytes()
    pieces = [whole[at : at + 188] for at in range(0, len(whole), 188)]
    silent = [piece for piece in pieces if (piece[1] & 0x1F, piece[2]) != (1, 1)]
    assert len(silent) < len(pieces)
    (tmp_path / "silent.ts").write_bytes(b"".join(silent))
    started, _ = run(tmp_path / "silent.ts", tmp_path / "b.mkv", scale=1)
    assert started.warnings == (
        "not kept: stream 1 (audio, mp3float), which does not begin in the first 60 s: it is not known what it is",
    )

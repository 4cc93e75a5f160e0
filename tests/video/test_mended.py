"""What films and folders of all kinds must not come to: lost packets and frames, folders removed, options unheard."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from clips import Clip, make, run

from subpixel.burst.clip import frames_at
from subpixel.cli import main
from subpixel.errors import BadRequest, UnreadableImage
from subpixel.images import Image, read, write
from subpixel.video.decoding import Frames
from subpixel.video.folder import probe_folder
from subpixel.video.source import probe


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line in which the command refuses, with status 2."""
    with pytest.raises(SystemExit) as ended:
        main(["video", *map(str, arguments), "-m", "bicubic", "-q"])
    out, error = capfd.readouterr()
    assert (ended.value.code, out, error.count("\n")) == (2, "", 1)
    return error


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_folder_of_somebody_else_is_not_taken(
    options: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target, stray = make(tmp_path, Clip("a.mkv")), tmp_path / "b.mkv", tmp_path / "b.mkv.partial"
    stray.mkdir()
    (stray / "notes.txt").write_text("the only copy")
    error = refused(capfd, source, "-o", target, *options)
    assert error.startswith(f"subpixel: the folder {stray} would hold what is done, but is in use for something else")
    assert (stray / "notes.txt").read_text() == "the only copy"
    assert not target.exists()


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.mkv")), tmp_path / "b.mkv"
    (tmp_path / "b.mkv.partial").mkdir()
    (tmp_path / "b.mkv.partial" / ".subpixel-0123456789abcdef").mkdir()
    run(source, target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "b.mkv"]


@pytest.mark.parametrize("name", ["notes.txt", "job.json", None])
def test_only_its_own_job_replaces_a_result(
    name: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, target, stray = make(tmp_path, Clip("a.mkv")), tmp_path / "b.mkv", tmp_path / "b.mkv.partial"
    target.write_text("the only copy")
    stray.mkdir()
    if name:
        (stray / name).write_text("{}")
    why = "holds the beginning of another job" if name == "job.json" else "exists; --overwrite replaces it"
    assert why in refused(capfd, source, "-o", target)
    assert target.read_text() == "the only copy"


def times(path: Path, stream: int = 0) -> list[float]:
    """When the frames are shown."""
    with av.open(str(path)) as file:
        return sorted(float(p.pts * p.time_base) for p in file.demux(file.streams[stream]) if p.pts is not None)


@pytest.mark.parametrize("ending", ["mkv", "mov", "mp4"])
def test_every_packet_of_a_second_film_is_kept(ending: str, tmp_path: Path) -> None:
    """Matroska does not say when the first frames are decoded, where others come in another order."""
    once, source, target = make(tmp_path, Clip("a.mp4", frames=25)), tmp_path / "twice.mkv", tmp_path / f"b.{ending}"
    with av.open(str(once)) as given, av.open(str(source), "w") as file:
        streams = [file.add_stream_from_template(given.streams[0]) for _ in range(2)]
        for packet in [packet for packet in given.demux() if packet.size]:
            for stream in streams:
                packet.stream = stream
                file.mux(packet)
    _, finished = run(source, target)
    assert finished.error is None
    assert times(target, 1) == pytest.approx([k / 25 for k in range(25)], abs=1e-3)
    with av.open(str(source)) as given, av.open(str(target)) as file:
        packets = [[bytes(packet) for packet in each.demux(each.streams[1]) if packet.size] for each in (given, file)]
    assert packets[0] == packets[1]


def test_frames_whose_times_are_in_the_order_of_decoding(tmp_path: Path) -> None:
    source, target = make(tmp_path, Clip("a.avi", frames=30)), tmp_path / "b.mkv"
    with av.open(str(source)) as file:
        said = [frame.pts or 0 for frame in file.decode(video=0)]
    assert said != sorted(said)
    _, finished = run(source, target)
    found = times(target)
    assert finished.error is None
    assert len(found) == len(set(found)) == 30
    assert 29 / 25 <= found[-1] - found[0] <= 31 / 25


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_a_subtitle_on_the_screen_where_the_part_begins(ending: str, tmp_path: Path) -> None:
    text = "mov_text" if ending == "mp4" else "subrip"
    source = make(tmp_path, Clip(f"a.{ending}", subtitles=text))
    for start, expected in ((0.12, (0.0, 0.12)), (0.02, (0.02, 0.2)), (0.24, None)):
        run(source, tmp_path / f"b.{ending}", start=start)
        with av.open(str(tmp_path / f"b.{ending}")) as file:
            packets = [p for p in file.demux(file.streams.subtitles[0]) if p.size > 2]
            found = [(float((p.pts or 0) * p.time_base), float((p.duration or 0) * p.time_base)) for p in packets]
        assert found == ([pytest.approx(expected, abs=1e-3)] if expected else [])


@pytest.mark.parametrize(("fps", "length"), [(0.0001, 20000), (1e-5, 200000), (23.976, 2 / 23.976)])
def test_a_folder_of_slow_frames(fps: float, length: float, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in range(2):
        write(folder / f"{k}.png", Image.from_array(np.full((16, 16), 100 * k, np.uint8)))
    assert probe_folder(folder, fps).duration == pytest.approx(length, rel=1e-4)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_h265_is_called_what_quicktime_plays(ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"b.{ending}"
    run(make(tmp_path, Clip("a.mkv", frames=2)), target, codec="h265")
    with av.open(str(target)) as file:
        codec = file.streams.video[0].codec_context
        assert (codec.name, codec.codec_tag) == ("hevc", "\0\0\0\0" if ending == "mkv" else "hvc1")
        assert len(list(file.decode(video=0))) == 2


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_preview_of_a_part_is_refused(option: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = make(tmp_path, Clip("a.mkv"))
    error = refused(capfd, source, "-o", tmp_path / "b.mkv", "--preview", "0.1", option, "0.1")
    assert error.startswith("subpixel: a preview (--preview) is out of the middle")
    with pytest.raises(BadRequest, match="--preview"):
        run(source, tmp_path / "b.mkv", preview=0.1, **{"start" if option == "--from" else "stop": 0.1})
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize(("said", "expected"), [(0, 51), (2, 51), (1, 41)])
def test_gray_is_of_full_range_where_nothing_is_said(said: int, expected: int, tmp_path: Path) -> None:
    """In 16 to 235, 51 is (51 - 16) / 219 of white."""
    source, target = tmp_path / "a.mkv", tmp_path / "frames"
    with av.open(str(source), "w") as file:
        video = file.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "gray"
        video.codec_context.color_range = said
        frame = av.VideoFrame.from_ndarray(np.full((32, 32), 51, np.uint8), "gray")
        frame.color_range = said
        file.mux([*video.encode(frame), *video.encode(None)])
    run(source, target)
    assert np.unique(np.round(read(target / "000001.png").pixels * 255)).tolist() == [expected]
    run(source, tmp_path / "b.mkv", codec="h264")
    with av.open(str(tmp_path / "b.mkv")) as file:
        assert next(file.decode(video=0)).color_range == (said or 2)


@pytest.mark.parametrize(("matrix", "warned"), [(8, True), (14, True), (1, False), (2, False)])
def test_a_matrix_that_is_not_known_is_told(matrix: int, warned: bool, tmp_path: Path) -> None:
    source = make(tmp_path, Clip("a.mkv", "ffv1", frames=2, tags={"colorspace": matrix}))
    started, _ = run(source, tmp_path / "frames")
    assert any(f"number {matrix} of H.273, is not known here" in text for text in started.warnings) == warned
    assert not run(source, tmp_path / "b.mkv", codec="ffv1")[0].warnings


@pytest.mark.parametrize(("matrix", "told"), [(8, True), (14, True), (1, False), (2, False), (10, False)])
def test_a_matrix_of_a_moment_that_is_not_known_is_told(matrix: int, told: bool, tmp_path: Path) -> None:
    frames, shown = frames_at(make(tmp_path, Clip("a.mkv", "ffv1", tags={"colorspace": matrix})), 0.1, 3)
    expected = (f"the matrix of its colours, number {matrix} of H.273, is not known here: they may have changed",)
    assert frames[shown].metadata.notes == (expected if told else ())
    gray, at = frames_at(make(tmp_path, Clip("b.mkv", "ffv1", "gray", tags={"colorspace": matrix})), 0.1, 3)
    assert not gray[at].metadata.notes


@pytest.mark.parametrize("fields", [1, 2])
def test_the_last_field_stays_as_long_as_others(fields: int, tmp_path: Path) -> None:
    clip = Clip("a.mkv", size=(144, 160), frames=4, interlaced=True, options={"bf": "0"})
    frames = Frames(probe(make(tmp_path, clip)), "tff", fields)
    shown = [frame.pts for frame in frames]
    assert frames.ends is not None
    assert frames.ends - shown[-1] == shown[-1] - shown[-2] == 40


@pytest.mark.parametrize("late", [0, 1000])
def test_a_moment_after_the_end_of_a_late_clip(late: int, tmp_path: Path) -> None:
    source = make(tmp_path, Clip("a.mkv", "ffv1", times=tuple(late + 40 * k for k in range(10))))
    with pytest.raises(UnreadableImage, match=r"it shows nothing at 0\.9 s"):
        frames_at(source, 0.9, 3)
    frames, shown = frames_at(source, 0.2, 3)
    assert frames[shown].name == "the frame at 0.200 s"


@pytest.mark.parametrize(("name", "notes"), [("yuva420p", ("its alpha is left out",)), ("yuv420p", ())])
def test_alpha_of_a_moment_is_told(name: str, notes: tuple[str, ...], tmp_path: Path) -> None:
    frames, shown = frames_at(make(tmp_path, Clip("a.mkv", "ffv1", name)), 0.1, 3)
    assert frames[shown].metadata.notes == notes

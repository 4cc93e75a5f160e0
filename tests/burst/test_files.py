"""Files in, files out: a burst of photos with their metadata, a moment of a clip, and what goes wrong."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from injected_faults import injected

from subpixel import Image, atomic, read, write
from subpixel.benchmarks.burst import Setting, make_burst
from subpixel.burst.clip import frames_at
from subpixel.burst.files import WHITE, Moment, fuse_files
from subpixel.errors import BadRequest, SubpixelError, UnreadableImage, UnwritableImage
from subpixel.images import Metadata


@pytest.fixture(scope="module")
def levels(examples: Path) -> list[np.ndarray]:
    truth = np.ascontiguousarray(read(examples / "astronaut.jpg").pixels[148:276, 138:266])
    return list(make_burst(truth, Setting("", 4, noise=2), 2, np.random.default_rng(5))[0])


@pytest.fixture
def shots(levels: list[np.ndarray], tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{k}.png" for k in range(len(levels))]
    for path, frame in zip(paths, levels, strict=True):
        write(path, Image.from_array(frame, Metadata(icc=_profile(), dpi=(300, 300))))
    return paths


@cache
def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_a_file_keeps_the_colours_of_its_reference(shots: list[Path], tmp_path: Path) -> None:
    target, unsure = tmp_path / "out.png", tmp_path / "unsure.png"
    report, note = fuse_files(shots, target, 2, psf=0.4, uncertainty=unsure)
    fused, map_ = read(target), read(unsure)
    assert (report.used, note) == (4, None)
    assert (fused.width, fused.height, fused.metadata.icc) == (128, 128, _profile())
    assert (map_.width, map_.height, map_.channels, map_.metadata.depth) == (128, 128, 1, 16)
    assert 0.001 < float(np.median(map_.pixels)) * WHITE < 0.05


@pytest.mark.parametrize("name", ["fsync", "replace", "open"])
def test_the_image_and_its_uncertainty_appear_together(shots: list[Path], tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for k in count(1):
        with injected(name, k) as fault, suppress(SubpixelError):
            fuse_files(shots, out / "a.png", psf=0.4, model="bicubic", uncertainty=out / "b.png")
        found = sorted(path for path in out.iterdir() if not path.name.startswith("."))
        assert [path.name for path in found] in ([], ["a.png", "b.png"])
        for path in found:
            path.unlink()
        if not fault.hit:
            break
    assert k > 1
    atomic.sweep(out, again=True)
    assert not list(out.iterdir())


def test_nothing_is_left_where_a_band_fails(shots: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("subpixel.burst.tiles.map_estimate", fails)
    monkeypatch.setattr("subpixel.burst.evidence._prediction_gain", lambda scene: 1.0)
    with pytest.raises(MemoryError):
        fuse_files(shots, tmp_path / "out.png", uncertainty=tmp_path / "unsure.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in shots]


def test_a_format_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    with pytest.raises(UnwritableImage, match=r"out\.xyz"):
        fuse_files([tmp_path / "no.png", tmp_path / "such.png"], tmp_path / "out.xyz")


def test_a_file_cannot_be_both_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = tmp_path / "out.png"
    (tmp_path / "link.png").symlink_to(target)
    for other in ("out.png", "./out.png", "link.png"):
        with pytest.raises(BadRequest, match=r"out\.png would be the image and its uncertainty; give one of them"):
            fuse_files([Path("no.png"), Path("such.png")], target, uncertainty=Path(other))


def test_folders_are_made(shots: list[Path], tmp_path: Path) -> None:
    target, unsure = tmp_path / "new/folder/out.png", tmp_path / "another/unsure.png"
    fuse_files(shots, target, psf=0.4, uncertainty=unsure, model="bicubic")
    assert (read(target).width, read(unsure).width) == (128, 128)


def test_no_folder_is_left_where_it_fails(shots: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"gone\.png: no such file"):
        fuse_files([*shots, tmp_path / "gone.png"], tmp_path / "new/folder/out.png")
    assert sorted(tmp_path.iterdir()) == shots


def test_a_place_that_cannot_be_written_is_refused_first(shots: list[Path], tmp_path: Path) -> None:
    """Before a frame is read: these are not there."""
    (tmp_path / "folder.png").mkdir()
    missing = [tmp_path / "no.png", tmp_path / "such.png"]
    for target, unsure, why in (
        ("folder.png", "unsure.png", "it is a folder"),
        ("x" * 300 + ".png", "unsure.png", "file name too long"),
        ("new/out.png", f"{shots[0].name}/unsure.png", "it is no folder; expected one"),
    ):
        with pytest.raises(UnwritableImage, match=why):
            fuse_files(missing, tmp_path / target, uncertainty=tmp_path / unsure)
    assert not (tmp_path / "new").exists()


def test_a_missing_frame_is_named(shots: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"gone\.png: no such file"):
        fuse_files([*shots, tmp_path / "gone.png"], tmp_path / "out.png")


@pytest.fixture(scope="module")
def clip(levels: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty frames at 10 a second, lossless: the k-th has the brightness 5 k in its first row."""
    av: Any = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "bgr0"
        for k in range(20):
            frame = levels[k % 4].copy()
            frame[0] = 5 * k
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("seconds", "shown", "first", "count"),
    [
        (0.0, 0, 0, 5),
        (0.1, 1, 0, 5),
        (1.0, 10, 8, 5),
        (1.05, 10, 8, 5),
        (1.8, 18, 15, 5),
        (1.9, 19, 15, 5),
        (0.32, 3, 1, 5),
    ],
)
def test_the_frames_around_a_moment(clip: Path, seconds: float, shown: int, first: int, count: int) -> None:
    frames, reference = frames_at(clip, seconds, 5)
    marks = [int(frame.levels[0, 0, 0]) // 5 for frame in frames]
    assert marks == list(range(first, first + count))
    assert marks[reference] == shown
    assert frames[0].metadata.depth == 8


@pytest.mark.parametrize(("seconds", "count", "marks"), [(1.9, 2, [18, 19]), (0, 2, [0, 1]), (1.2, 64, [*range(20)])])
def test_the_ends_of_a_clip_have_as_many(clip: Path, seconds: float, count: int, marks: list[int]) -> None:
    assert [int(frame.levels[0, 0, 0]) // 5 for frame in frames_at(clip, seconds, count)[0]] == marks


def test_a_clip_with_a_frame_every_ten_seconds(levels: list[np.ndarray], tmp_path: Path) -> None:
    """Those before the moment are looked for more than two seconds before it."""
    av: Any = pytest.importorskip("av")
    path = tmp_path / "slow.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=Fraction(1, 10), options={"g": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb24"
        for frame in levels * 2:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    frames, reference = frames_at(path, 40, 6)
    assert [frame.name for frame in frames] == [f"the frame at {k}.000 s" for k in (20, 30, 40, 50, 60, 70)]
    assert reference == 2


def test_a_moment_becomes_an_image(clip: Path, tmp_path: Path) -> None:
    report, _ = fuse_files([clip], tmp_path / "out.png", at=Moment(1.0, 4))
    assert report.reference == "the frame at 1.000 s"
    assert read(tmp_path / "out.png").shape.pixels == 128 * 128


def test_a_clip_whose_name_looks_like_an_address(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("part:1.mkv", "http:clip.mkv", "file:clip.mkv"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        assert len(frames_at(name, 0.5, 3)[0]) == 3


def test_a_moment_is_shown_as_players_show_it(levels: list[np.ndarray], tmp_path: Path) -> None:
    """Lain on its side and mirrored, in pixels that are wider than high, after a cover, in a wide gamut."""
    av: Any = pytest.importorskip("av")
    shot, source = levels[0][:48], tmp_path / "clip.mp4"
    with av.open(str(source), "w") as container:
        cover, stream = (
            container.add_stream("png", rate=1),
            container.add_stream("libx264rgb", rate=10, options={"qp": "0"}),
        )
        cover.width, cover.height, cover.pix_fmt, cover.disposition = (
            32,
            32,
            "rgb24",
            av.stream.Disposition.attached_pic,
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        stream.codec_context.sample_aspect_ratio, stream.codec_context.color_primaries = Fraction(16, 15), 12
        stream.set_display_matrix((0, 1 << 16, 0, 1 << 16, 0, 0, 0, 0, 1 << 30))
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(cover.encode(picture) + cover.encode())
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shot, format="rgb24")))
        container.mux(stream.encode())
    (frame, *_), _ = frames_at(source, 0.1, 3)
    assert np.array_equal(frame.levels, shot.swapaxes(0, 1))
    assert frame.metadata.colour.cicp is not None
    assert frame.metadata.colour.cicp[0] == 12
    assert frame.metadata.notes == ("its pixels, 15:16 on the screen, became square: players show it higher",)


def test_moments_that_are_not_there(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match=r"it shows nothing at 7 s"):
        frames_at(clip, 7, 5)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no clip at all")
    with pytest.raises(UnreadableImage, match=r"broken\.mp4: invalid data"):
        frames_at(broken, 0, 5)
    with pytest.raises(UnreadableImage, match=r"gone\.mp4: no such file"):
        frames_at(tmp_path / "gone.mp4", 0, 5)
    with pytest.raises(BadRequest, match="expected one clip"):
        fuse_files([clip, clip], tmp_path / "out.png", at=Moment(1))
    with pytest.raises(BadRequest, match="expected a moment"):
        Moment(-1)

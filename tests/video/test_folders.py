"""Folders of frames, in and out: their order, their values, what is lost, and what an interruption leaves."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import Clip, Sound, make, texture

from subpixel import Upscaler
from subpixel.errors import BadRequest, DataError, UnreadableImage
from subpixel.images import Colour, Image, Metadata, read, write
from subpixel.jobs.pool import Finished
from subpixel.runtimes import Execution
from subpixel.video.folder import natural, probe_folder
from subpixel.video.request import VideoRequest
from subpixel.video.source import probe
from subpixel.video.upscaling import Started, upscale

SIZE = (24, 40)


def coloured(k: float, dtype: Any = np.uint8, alpha: bool = False) -> Any:
    """A smooth picture in colour."""
    channels = [texture(k + c, SIZE) for c in range(3)] + ([np.linspace(0, 1, 24 * 40).reshape(SIZE)] if alpha else [])
    return np.round(np.dstack(channels) * np.iinfo(dtype).max).astype(dtype)


def folder_of(place: Path, images: list[Any], name: str = "frame{}.png") -> Path:
    place.mkdir()
    for k, image in enumerate(images, 8):
        write(place / name.format(k), image if isinstance(image, Image) else Image.from_array(image))
    return place


def run(source: Path, target: Path, **asked: Any) -> tuple[Started, Finished]:
    execution = {"threads": 1, "precision": "f32"}
    events = list(
        upscale(source, target, VideoRequest.parse({"model": "bicubic", "scale": 2, "execution": execution} | asked))
    )
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    return events[0], events[-1]


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as file:
        return list(file.decode(video=0))


def test_the_natural_order() -> None:
    names = ["b10.png", "b9.png", "B11.png", "a.png", "b9a.png", "2.png", "10.png"]
    assert sorted(names, key=natural) == ["2.png", "10.png", "a.png", "b9.png", "b9a.png", "b10.png", "B11.png"]


def test_a_folder_becomes_a_film_of_the_networks_own_values(tmp_path: Path) -> None:
    """8 comes before 10: without loss, the frames are what the network makes of the images, 30000/1001 a second."""
    images = [coloured(k) for k in range(4)]
    source, target = folder_of(tmp_path / "frames", images), tmp_path / "film.mkv"
    _, finished = run(source, target, model="swift", codec="ffv1", fps=30000 / 1001)
    assert finished.error is finished.note is None
    upscaler, frames = Upscaler("swift-x2", execution=Execution(precision="f32", threads=1)), decoded(target)
    assert probe(target).rate == Fraction(30000, 1001)
    assert [frame.time for frame in frames] == pytest.approx([k * 1001 / 30000 for k in range(4)], abs=5.1e-4)
    for image, frame in zip(images, frames, strict=True):
        difference = frame.to_ndarray(format="rgb24").astype(int) - upscaler(image)
        assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_colours_are_right_in_the_coded_film(codec: str, tmp_path: Path) -> None:
    """Small frames, which players take for BT.601 unless they are told."""
    images = [np.broadcast_to(np.array([200, 60, 30], np.uint8), (*SIZE, 3))] * 3
    target = tmp_path / "film.mp4"
    run(folder_of(tmp_path / "frames", images), target, codec=codec, quality=90)
    frame = decoded(target)[1]
    assert frame.format.name == "yuv444p"
    assert (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1, 13)
    shown = frame.to_ndarray(format="rgb24", src_colorspace=1)  # BT.709
    np.testing.assert_allclose(shown.reshape(-1, 3).mean(0), [200, 60, 30], atol=2)


@pytest.mark.parametrize(("dtype", "alpha"), [(np.uint8, False), (np.uint16, False), (np.uint16, True)])
def test_from_folder_to_folder(dtype: Any, alpha: bool, tmp_path: Path) -> None:
    images = [coloured(k, dtype, alpha) for k in range(3)]
    source, target = folder_of(tmp_path / "frames", images), tmp_path / "larger"
    _, finished = run(source, target)
    assert finished.error is finished.note is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frames", "larger"]
    assert sorted(path.name for path in target.iterdir()) == ["000001.png", "000002.png", "000003.png"]
    upscaler = Upscaler("bicubic", scale=2, execution=Execution(precision="f32", threads=1))
    for k, image in enumerate(images, 1):
        found, expected = (a.astype(int) for a in (read(target / f"00000{k}.png").to_array(), upscaler(image)))
        assert found.shape == (48, 80, 4 if alpha else 3)
        assert np.abs(found - expected).max() <= 1


def test_gray_and_coloured_and_deep_images_together(tmp_path: Path) -> None:
    gray = coloured(1)[..., 0]
    source = folder_of(tmp_path / "frames", [gray, coloured(2, np.uint16)])
    assert probe_folder(source).layout.name == "gbrp16le"
    run(source, tmp_path / "same", scale=1, model="bicubic")
    first, second = (read(tmp_path / "same" / f"00000{k}.png") for k in (1, 2))
    np.testing.assert_array_equal(first.to_array(), np.repeat(gray[..., None].astype(np.uint16) * 257, 3, 2))
    np.testing.assert_array_equal(second.to_array(), coloured(2, np.uint16))


@pytest.mark.parametrize(("name", "depth"), [("yuv420p", 8), ("yuv422p10le", 16), ("gray", 8)])
def test_a_film_becomes_numbered_images(name: str, depth: int, tmp_path: Path) -> None:
    tags = {"colorspace": 1, "color_range": 1}
    source = make(tmp_path, Clip("film.mkv", "ffv1", name, frames=3, tags=tags, sounds=(Sound("flac"),)))
    started, finished = run(source, tmp_path / "frames", scale=1)
    lost = ("not kept: stream 1 (audio, flac), which folder cannot hold",
            "not kept: the times of the frames (25.000 a second on average)")  # fmt: skip
    assert started.warnings == lost
    assert finished.note == "; ".join(lost)
    paths = sorted((tmp_path / "frames").iterdir())
    assert [path.name for path in paths] == ["000001.png", "000002.png", "000003.png"]
    for path, frame in zip(paths, decoded(source), strict=True):
        image = read(path)
        assert image.metadata.depth == depth
        theirs = frame.to_ndarray(format="gray" if name == "gray" else "rgb24", src_colorspace=1) / 255
        if name == "gray":
            theirs = np.clip((theirs * 255 - 16) / 219, 0, 1)[..., None]
        assert np.abs(image.pixels - theirs).mean() < 0.008  # swscale rounds to 8 bits, and moves chroma otherwise


@pytest.mark.parametrize("rotation", [90, -90, 180, None])
def test_images_are_upright(rotation: int | None, tmp_path: Path) -> None:
    """None: as front cameras mirror them."""
    clip = Clip("turned.mp4", frames=1, rotation=rotation or 0, mirrored=not rotation, options={"qp": "0"})
    source = make(tmp_path, clip)
    run(source, tmp_path / "frames", scale=1)
    (frame,) = decoded(source)
    stored = frame.to_ndarray(format="gray").astype(float)
    upright = np.rot90(stored, round(frame.rotation / 90) % 4) if rotation else stored[:, ::-1]
    found = read(tmp_path / "frames" / "000001.png").pixels[..., 1] * 255
    assert found.shape == upright.shape
    assert np.corrcoef(found.ravel(), upright.ravel())[0, 1] > 0.9


def test_hdr_says_so_in_its_images(tmp_path: Path) -> None:
    tags = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}
    source = make(tmp_path, Clip("hdr.mkv", "ffv1", "yuv420p10le", frames=2, tags=tags))
    run(source, tmp_path / "frames")
    assert read(tmp_path / "frames" / "000002.png").metadata.colour == Colour(cicp=(9, 16, 0, 1))
    run(tmp_path / "frames", tmp_path / "again.mkv", codec="h265")
    frame = decoded(tmp_path / "again.mkv")[0]
    assert (frame.color_primaries, frame.color_trc, frame.format.name) == (9, 16, "yuv444p12le")


def test_the_odd_one_is_named(tmp_path: Path) -> None:
    odd = np.zeros((24, 41, 3), np.uint8)
    source = folder_of(tmp_path / "frames", [coloured(0), odd, coloured(1)])
    with pytest.raises(UnreadableImage, match=r"frame9.png: it is 41x24, and 2 of the 3 frames are 40x24; frames are"):
        run(source, tmp_path / "film.mkv")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_damaged_images_are_counted(tmp_path: Path) -> None:
    """Without a header, and cut in the middle: the others keep their times."""
    source = folder_of(tmp_path / "frames", [coloured(k) for k in range(5)])
    (source / "frame9.png").write_bytes(b"nothing")
    whole = (source / "frame11.png").read_bytes()
    (source / "frame11.png").write_bytes(whole[: len(whole) // 2])
    _, finished = run(source, tmp_path / "film.mkv")
    assert isinstance(finished.error, DataError)
    assert "2 frames cannot be decoded; what could be decoded is in" in str(finished.error)
    assert [frame.time for frame in decoded(tmp_path / "film.mkv")] == pytest.approx([0, 0.08, 0.16], abs=1e-3)


def test_wishes_that_make_no_sense(tmp_path: Path) -> None:
    film, frames = make(tmp_path, Clip("film.mkv", frames=2)), folder_of(tmp_path / "frames", [coloured(0)])
    (tmp_path / "empty").mkdir()
    for source, target, asked, why in (
        (film, "larger.mkv", {"fps": 25}, "has its own times"),
        (film, "larger", {"codec": "h264"}, "folder holds png; h264 fits in .mkv"),
        (film, "frames", {}, "is not empty"),
        (frames, "frames", {}, "is the input"),
    ):
        with pytest.raises(BadRequest, match=why):
            run(source, tmp_path / target, **asked)
    with pytest.raises(UnreadableImage, match="no image in it"):
        run(tmp_path / "empty", tmp_path / "larger.mkv")
    assert len(list((tmp_path / "frames").iterdir())) == 1


@pytest.mark.parametrize(("given", "made"), [("film", "images"), ("images", "film.mkv"), ("images", "images2")])
def test_what_is_interrupted_goes_on(given: str, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.video.upscaling.SECONDS", 0.4)
    if given == "film":
        source = make(tmp_path, Clip("film.mkv", frames=50))
    else:
        source = folder_of(tmp_path / "in", [coloured(k / 9) for k in range(50)])
    whole, halved = tmp_path / f"whole-{made}", tmp_path / f"halved-{made}"
    asked = {"codec": "ffv1"} if made == "film.mkv" else {}  # x264 does not give the same bytes each time: video.md
    run(source, whole, **asked)
    execution = {"threads": 1, "precision": "f32"}
    request = VideoRequest.parse({"model": "bicubic", "scale": 2, "execution": execution} | asked)
    events = upscale(source, halved, request)
    list(islice(events, 28))
    events.close()
    assert not halved.exists()
    (tmp_path / f"halved-{made}.partial" / "images").mkdir(exist_ok=True)
    started, finished = run(source, halved, **asked)
    assert (started.resumed, finished.error) == (20, None)
    assert contents(halved) == contents(whole)
    assert not list(tmp_path.glob("*.partial"))


def contents(path: Path) -> dict[str, bytes]:
    files = path.iterdir() if path.is_dir() else [path]
    return {file.name.removeprefix("halved-").removeprefix("whole-"): file.read_bytes() for file in files}


def test_killed_between_the_last_rename_and_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images lie in their place, and `frames.partial` is still there: the same call ends it."""
    source, target = make(tmp_path, Clip("film.mkv", frames=5)), tmp_path / "frames"
    monkeypatch.setattr("subpixel.video.segments.Partial.remove", lambda _: None)
    run(source, target)
    monkeypatch.undo()
    before = contents(target)
    assert (tmp_path / "frames.partial").is_dir()
    run(source, target)
    assert contents(target) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mkv", "frames"]
    with pytest.raises(BadRequest, match="is not empty"):
        run(source, target)


def test_profiles_that_are_lost_are_named(tmp_path: Path) -> None:
    from subpixel.images.profiles import profile_of

    profile = profile_of(Colour(cicp=(9, 13, 0, 1)))
    image = Image(np.full((*SIZE, 3), 0.5, np.float32), None, Metadata(icc=profile))
    started, _ = run(folder_of(tmp_path / "frames", [image]), tmp_path / "film.mkv", codec="ffv1")
    assert started.warnings == ("not kept: the colour profile of the images",)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("stated", ["profile", "cicp"])
def test_colours_that_are_not_those_of_the_first_are_named(stated: str, first: int, tmp_path: Path) -> None:
    from subpixel.images.profiles import profile_of

    colour, pixels = Colour(cicp=(9, 13, 0, 1)), np.full((*SIZE, 3), 0.5, np.float32)
    said = Metadata(icc=profile_of(colour)) if stated == "profile" else Metadata(colour=colour)
    images = [Image(pixels, None, said if k == first else Metadata()) for k in range(3)]
    started, _ = run(folder_of(tmp_path / "frames", images), tmp_path / "film.mkv", codec="ffv1")
    of_first = ["not kept: the colour profile of the images"] if (stated, first) == ("profile", 0) else []
    odd = f"{2 - first} of 3 images, such as frame9.png"
    expected = f"not kept: the colours of {odd}, which state others than the first"
    assert started.warnings == (*of_first, expected)

"""Animations through reader and writer, and enlarged frame by frame, as Pillow sees them."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.ImageSequence
import pytest
from PIL import ImageCms

from subpixel import Upscaler
from subpixel.errors import UnreadableImage, UnwritableImage
from subpixel.images import Animation, AnimationReader, Encoding, open_any, open_image
from subpixel.images.containers import read_contents
from subpixel.inference.file import upscale_file

DELAYS = [100, 40, 250]
KINDS = {"gif": ("GIF", {}), "webp": ("WEBP", {"lossless": True}), "png": ("PNG", {})}


def frames(count: int = 3, channels: int = 3) -> list[PIL.Image.Image]:
    """A square of one of a few colours that moves before a plain ground, or before nothing."""
    found = list[PIL.Image.Image]()
    for k in range(count):
        array = np.full((20, 30, channels), 40, np.uint8)
        array[..., 3:] = 0
        array[4:10, 3 + 4 * k : 11 + 4 * k] = (250, 30 * k, 0, 255)[:channels]
        found.append(PIL.Image.fromarray(array))
    return found


def animated(name: str, images: list[PIL.Image.Image], loop: int = 2, **more: Any) -> bytes:
    kind, options = KINDS[name]
    file = io.BytesIO()
    timing = {"duration": DELAYS[: len(images)], "loop": loop}
    images[0].save(file, kind, save_all=True, append_images=images[1:], **timing, **options, **more)
    return file.getvalue()


def seen(data: bytes | Path) -> tuple[list[np.ndarray], list[int], int | None]:
    """The frames as RGBA, their times and how often they are played."""
    with PIL.Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        found, times = list[np.ndarray](), list[int]()
        for frame in PIL.ImageSequence.Iterator(image):
            found.append(np.asarray(frame.convert("RGBA")).copy())
            times.append(round(frame.info["duration"]))
        return found, times, image.info.get("loop")


def agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two images look the same: the colour of what is transparent does not count."""
    visible = one[..., 3:] > 0
    return np.array_equal(one[..., 3], other[..., 3]) and np.array_equal(one * visible, other * visible)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
def test_every_frame_is_enlarged_with_its_timing(tmp_path: Path, first: str, second: str, channels: int) -> None:
    source = animated(first, frames(channels=channels))
    upscaler = Upscaler("nearest", scale=2)
    note = upscale_file(source, tmp_path / f"a.{second}", upscaler, Encoding(lossless=True))
    assert note == ("its colours became 256 a frame, transparency all or none" if second == "gif" else None)
    before, after = seen(source), seen(tmp_path / f"a.{second}")
    assert len(after[0]) == 3
    for small, large in zip(before[0], after[0], strict=True):
        assert large.shape == (40, 60, 4)
        assert agree(small.repeat(2, 0).repeat(2, 1), large)
    assert after[1] == DELAYS


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("loop", [0, 1, 5])
def test_the_number_of_plays_is_kept(tmp_path: Path, first: str, second: str, loop: int) -> None:
    source = animated(first, frames(), loop)
    upscale_file(source, tmp_path / f"a.{second}", Upscaler("nearest", scale=2))
    opened = [open_any(file) for file in (source, tmp_path / f"a.{second}")]
    plays = [file.metadata.animation.loop for file in opened if file.metadata.animation]
    assert plays[0] == plays[1]
    if first == second:
        assert seen(tmp_path / f"a.{second}")[2] == loop


@pytest.mark.parametrize("name", ["webp", "png"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_each_frame_is_turned_upright_as_pillow_turns_it(tmp_path: Path, name: str, turn: int) -> None:
    tags = PIL.Image.Exif()
    tags[0x0112] = turn
    source, images = animated(name, frames(), exif=tags), frames()
    for image in images:
        image.getexif()[0x0112] = turn
    upscale_file(source, tmp_path / f"a.{name}", Upscaler("nearest", scale=2))
    upright = [np.asarray(PIL.ImageOps.exif_transpose(image).convert("RGBA")) for image in images]
    for small, large in zip(upright, seen(tmp_path / f"a.{name}")[0], strict=True):
        assert np.array_equal(small.repeat(2, 0).repeat(2, 1), large)
    with PIL.Image.open(tmp_path / f"a.{name}") as image:
        assert image.getexif()[0x0112] == 1


@pytest.mark.parametrize("first", ["webp", "png"])
@pytest.mark.parametrize("second", ["webp", "png"])
def test_the_profile_of_an_animation_is_kept(tmp_path: Path, first: str, second: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = animated(first, frames(), icc_profile=profile)
    assert upscale_file(source, tmp_path / f"a.{second}", Upscaler("nearest", scale=2)) is None
    with PIL.Image.open(tmp_path / f"a.{second}") as image:
        assert image.info["icc_profile"] == profile
        assert image.n_frames == 3  # type: ignore[attr-defined]


def test_disposal_of_every_kind_is_shown_as_pillow_shows_it(tmp_path: Path) -> None:
    images = frames(channels=4)
    for disposal in (0, 1, 2):
        source = animated("png", images, disposal=disposal, blend=1)
        upscale_file(source, tmp_path / "a.png", Upscaler("nearest", scale=2))
        for small, large in zip(seen(source)[0], seen(tmp_path / "a.png")[0], strict=True):
            assert agree(small.repeat(2, 0).repeat(2, 1), large)
    for disposal in (1, 2, 3):
        source = animated("gif", images, disposal=disposal)
        upscale_file(source, tmp_path / "a.png", Upscaler("nearest", scale=2))
        for small, large in zip(seen(source)[0], seen(tmp_path / "a.png")[0], strict=True):
            assert agree(small.repeat(2, 0).repeat(2, 1), large)


@pytest.mark.parametrize("mode", ["L", "LA"])
@pytest.mark.parametrize("blend", [0, 1])
def test_gray_stays_gray(tmp_path: Path, mode: str, blend: int) -> None:
    images = [image.convert("L") for image in frames()]
    for image in images if mode == "LA" else []:
        image.putalpha(image.point([255 * (level > 40) for level in range(256)]))
    source, path = animated("png", images, blend=blend), tmp_path / "a.png"
    assert upscale_file(source, path, Upscaler("nearest", scale=2)) is None
    assert (source[25], path.read_bytes()[25]) == ((0, 0) if mode == "L" else (4, 4))  # PNG's types of colour
    for small, large in zip(seen(source)[0], seen(path)[0], strict=True):
        assert agree(small.repeat(2, 0).repeat(2, 1), large)
    upscale_file(source, tmp_path / "a.webp", Upscaler("nearest", scale=2), Encoding(lossless=True))
    for small, large in zip(seen(source)[0], seen(tmp_path / "a.webp")[0], strict=True):
        assert agree(small.repeat(2, 0).repeat(2, 1), large)


def test_a_network_enlarges_each_frame_by_itself(tmp_path: Path) -> None:
    images = frames()
    upscaler = Upscaler("swift", scale=2)
    upscale_file(animated("png", images), tmp_path / "a.png", upscaler)
    for image, large in zip(images, seen(tmp_path / "a.png")[0], strict=True):
        assert np.array_equal(large[..., :3], upscaler(np.asarray(image)))


def test_an_apngs_image_for_old_viewers_is_no_frame() -> None:
    source = animated("png", frames(), default_image=True)
    opened = open_any(source)
    assert isinstance(opened, AnimationReader)
    assert [frame.shape for frame in opened.frames()] == [(20, 30, 3)] * 2
    assert opened.metadata.animation == Animation((100, 40), 2)


@pytest.mark.parametrize("name", ["jpg", "tif", "avif"])
def test_formats_without_animations_refuse_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnwritableImage, match="has no animations; choose png, webp or gif"):
        upscale_file(animated("gif", frames()), tmp_path / f"a.{name}", Upscaler("nearest", scale=2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", KINDS)
def test_an_animation_is_no_single_image(name: str) -> None:
    with pytest.raises(UnreadableImage, match="it has 3 frames or pages; save the one you want as its own file"):
        open_image(animated(name, frames()))


def test_an_animated_avif_is_refused_by_the_number_of_its_frames() -> None:
    file = io.BytesIO()
    images = frames()
    images[0].save(file, "AVIF", save_all=True, append_images=images[1:], duration=100)
    with pytest.raises(UnreadableImage, match="it has 3 frames or pages"):
        open_image(file.getvalue())


def test_further_images_of_a_jpeg_are_named() -> None:
    file = io.BytesIO()
    images = frames(2)
    images[0].save(file, "MPO", save_all=True, append_images=images[1:])
    assert "further images" in open_image(file.getvalue()).metadata.left_out


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_cut_animation_leaves_nothing(tmp_path: Path, name: str, keep: float) -> None:
    noise = [PIL.Image.fromarray(np.random.default_rng(k).integers(0, 256, (60, 60, 3), np.uint8)) for k in range(3)]
    whole = animated(name, noise)
    with pytest.raises(UnreadableImage):
        upscale_file(whole[: int(len(whole) * keep)], tmp_path / "a.png", Upscaler("nearest", scale=2))
    assert list(tmp_path.iterdir()) == []


def test_any_flipped_byte_of_an_apng_gives_frames_or_one_line() -> None:
    whole, rng = animated("png", frames()), np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole)
        for at in rng.integers(8, len(data), 2):
            data[at] = rng.integers(256)
        with suppress(UnreadableImage):
            opened = open_any(bytes(data))
            assert opened.shape.channels in (1, 3)
            if isinstance(opened, AnimationReader):
                assert {frame.shape[:2] for frame in opened.frames()} == {(opened.shape.height, opened.shape.width)}


def test_a_comment_of_a_gif_is_named(tmp_path: Path) -> None:
    source = animated("gif", frames(), comment=b"by hand")
    assert read_contents(io.BytesIO(source)).text[0].value == "by hand"
    assert upscale_file(source, tmp_path / "a.webp", Upscaler("nearest", scale=2)) == "left out: comment"
    assert upscale_file(source, tmp_path / "a.png", Upscaler("nearest", scale=2)) is None


LONG = """
import sys, numpy as np
from subpixel.images import Animation, Metadata, create, writer
from subpixel.ports import Shape
writer.IN_MEMORY = 0
bar = np.zeros((600, 600, 3), np.uint8)
bar[:, :9] = 255
used = lambda: int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
def write(count):
    animation = Metadata(animation=Animation((40,) * count, 0))
    with create(sys.argv[1], Shape(600 * count, 600, 3), animation) as sink:
        for k in range(count):
            sink.write(np.roll(bar, 9 * k, 1))
write(2)
before = used()
write(60)
print(used() - before)
"""


@pytest.mark.parametrize("name", KINDS)
def test_a_long_animation_takes_little_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    done = subprocess.run([sys.executable, "-c", LONG, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30 * 1024  # KiB; the frames are 62 MiB
    with PIL.Image.open(path) as image:
        assert image.n_frames == 60  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "delays", "note"),
    [
        ("png", [10, 20, 33], None),
        ("webp", [11, 20, 33], None),
        ("webp", [10, 20, 33], "the times of its frames changed by up to 90 ms"),
        ("gif", [20, 40, 110], None),
        ("gif", [10, 20, 33], "the times of its frames changed by up to 3 ms"),
        ("png", [100_000, 70_000, 40], None),
        ("png", [1_000_040, 40, 40], "the times of its frames changed by up to 40 ms"),
        ("gif", [655_350, 70_000, 40], None),
        ("gif", [700_000, 40, 40], "the times of its frames changed by up to 44650 ms"),
    ],
)
def test_times_that_a_format_does_not_have_are_told(
    tmp_path: Path, name: str, delays: list[int], note: str | None
) -> None:
    images = frames()
    images[0].save(tmp_path / "a.webp", save_all=True, append_images=images[1:], duration=delays)
    told = upscale_file(tmp_path / "a.webp", tmp_path / f"b.{name}", Upscaler("nearest", scale=2)) or ""
    assert (note or "") in told
    assert ("times" in told) == bool(note)
    off = max(abs(a - b) for a, b in zip(seen(tmp_path / f"b.{name}")[1], delays, strict=True))
    assert f"{off} ms" in told or off == 0


@pytest.mark.parametrize(("name", "plays"), [("png", 70_000), ("webp", 65_535), ("gif", 65_536)])
def test_more_plays_than_a_format_has_are_told(tmp_path: Path, name: str, plays: int) -> None:
    told = upscale_file(animated("png", frames(), loop=70_000), tmp_path / f"a.{name}", Upscaler("nearest", scale=2))
    assert (f"it is played {plays:,} times, not 70,000" in (told or "")) == (plays < 70_000)
    assert seen(tmp_path / f"a.{name}")[2] == plays - (name == "gif")  # GIF counts the repetitions

"""Images in, reports out: known degradations, whatever the image comes as."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

import subpixel
from subpixel.analysis import inspect_rows
from subpixel.analysis.windows import GRID, SIDE, Samples, is_toned, luma, windows
from subpixel.degradations import GaussianBlur, GaussianNoise
from subpixel.errors import BadRequest, UnreadableImage
from subpixel.images import Image, dequantise, quantise
from subpixel.inference.file import upscale_file
from subpixel.ports import Shape


@pytest.fixture(scope="module")
def photo(examples):
    """A photo that shows no traces of its own file: reduced by 2."""
    return np.asarray(Pillow.open(examples / "astronaut.jpg").reduce(2).convert("RGB"))


def _worse(levels, degradation):
    return quantise(degradation.apply(dequantise(levels), np.random.default_rng(3)), 8)


# --- what is found


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "seeding"])
@pytest.mark.parametrize("scale", [2, 3])
def test_clean_photos_are_clean(examples, name, scale):
    report = subpixel.inspect(Pillow.open(examples / f"{name}.jpg").reduce(scale))
    assert report.summary == "nothing wrong found"
    assert (report.clean, report.kind, set(report.condition().values())) == (True, "photo", {0.0})


@pytest.mark.parametrize("sigma", [6, 10, 20])
def test_noise(photo, sigma):
    noise = subpixel.inspect(_worse(photo, GaussianNoise(sigma / 255))).noise
    assert noise.sigma == pytest.approx(sigma, abs=0.6 + sigma / 15)
    assert noise.chroma == pytest.approx(sigma, abs=0.6 + sigma / 10)
    gray = subpixel.inspect(_worse(photo, GaussianNoise(sigma / 255, gray=True))).noise
    assert gray.sigma == pytest.approx(sigma, abs=0.6 + sigma / 15)
    assert gray.chroma < 0.3 * sigma


@pytest.mark.parametrize("tone", [(1, 0.85, 0.65), (0.6, 0.8, 1), (0.85, 1, 0.7)])
def test_grain_under_a_tone(photo, tone):
    """Sepia, a cyanotype, selenium: gray grain became grain of a colour."""
    gray = np.repeat(np.asarray(Pillow.fromarray(photo).convert("L"))[..., None], 3, axis=2)
    toned = [np.uint8((levels * tone).round()) for levels in (gray, _worse(gray, GaussianNoise(7 / 255, gray=True)))]
    clean, grainy = map(subpixel.inspect, toned)
    assert clean.summary == "nothing wrong found"
    assert grainy.noise.sigma == pytest.approx(7 * np.dot(tone, (0.299, 0.587, 0.114)), abs=1)
    assert is_toned(toned[1][None].astype(np.float32))
    assert not is_toned(photo[None].astype(np.float32))
    assert not is_toned(gray[None].astype(np.float32))


@pytest.mark.parametrize(
    ("x", "y", "angle"), [(0.8, 0.8, 0), (1.2, 1.2, 0), (1.3, 0.6, 0), (1.3, 0.6, 45), (1.3, 0.6, 90)]
)
def test_blur(photo, x, y, angle):
    blur, truth = GaussianBlur(x, y, angle), GaussianBlur(x, y, angle).vector()
    found = subpixel.inspect(_worse(photo, blur)).blur
    assert found.axes[:2] == pytest.approx((x, y), abs=0.2)
    expected = truth["blur_xx"], truth["blur_yy"], truth["blur_xy"]
    assert (found.xx, found.yy, found.xy) == pytest.approx(expected, abs=0.3)


def test_a_jpeg_file_says_its_quality_and_pixels_say_it_too(photo):
    file = io.BytesIO()
    Pillow.fromarray(photo).save(file, "JPEG", quality=45)
    stated = subpixel.inspect(file.getvalue())
    assert (stated.jpeg.quality, stated.jpeg.source, stated.jpeg.phase) == (45, "file", (0, 0))
    seen = subpixel.inspect(np.asarray(Pillow.open(file))[3:, 5:])
    assert (seen.jpeg.quality, seen.jpeg.source, seen.jpeg.phase) == (45, "pixels", (5, 3))
    assert "JPEG of quality 45" in seen.summary
    assert not seen.clean


def test_an_earlier_file_on_another_grid(photo):
    """Quality 30, cropped, then quality 90: the report says both, and a network is told of the stronger one."""
    first, second = io.BytesIO(), io.BytesIO()
    Pillow.fromarray(photo).save(first, "JPEG", quality=30)
    Pillow.open(first).crop((5, 3, photo.shape[1], photo.shape[0])).save(second, "JPEG", quality=90)
    report = subpixel.inspect(Pillow.open(second))
    assert (report.jpeg.quality, report.jpeg.phase) == (90, (0, 0))
    assert report.jpeg.earlier == pytest.approx(30, abs=3)
    assert report.condition()["jpeg"] == pytest.approx(70 / 75, abs=0.05)


def test_noise_under_jpeg(photo):
    noisy, file = _worse(photo, GaussianNoise(15 / 255)), io.BytesIO()
    Pillow.fromarray(noisy).save(file, "JPEG", quality=90)
    report = subpixel.inspect(file.getvalue())
    assert report.jpeg.quality == 90
    assert report.noise.sigma == pytest.approx(15, abs=3)


# --- what it comes as


def test_the_report_does_not_depend_on_what_the_image_comes_as(photo, tmp_path):
    noisy = _worse(photo, GaussianNoise(8 / 255))
    Pillow.fromarray(noisy).save(tmp_path / "a.png")
    expected = subpixel.inspect(noisy)
    given = tmp_path / "a.png", (tmp_path / "a.png").read_bytes(), Image.from_array(noisy), Pillow.fromarray(noisy)
    for image in given:
        assert subpixel.inspect(image) == expected
    with open(tmp_path / "a.png", "rb") as file:
        assert subpixel.inspect(file) == expected
    for same in (noisy.astype(np.uint16) * 257, dequantise(noisy), np.dstack([noisy, noisy[..., :1]])):
        assert subpixel.inspect(same).noise.sigma == pytest.approx(expected.noise.sigma, abs=0.01)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_report_on_an_animation_is_that_on_its_first_frame(photo, tmp_path, kind):
    noisy, path = _worse(photo, GaussianNoise(8 / 255)), tmp_path / f"a.{kind.lower()}"
    first, second = Pillow.fromarray(noisy), Pillow.fromarray(photo)
    first.save(path, save_all=True, append_images=[second], duration=100, lossless=True)
    report = subpixel.inspect(path)
    assert report == subpixel.inspect(noisy) != subpixel.inspect(photo)
    told: list[str] = []
    upscale_file(path, tmp_path / "b.png", subpixel.Upscaler("auto", scale=1), on_progress=_reason_into(told))
    assert told[0] == report.summary


def _reason_into(told):
    return lambda plan, rows: told.append(plan.reason)


def test_gray(photo):
    gray = _worse(photo[..., 1:2], GaussianNoise(9 / 255))
    noise = subpixel.inspect(gray[..., 0]).noise
    assert (noise.sigma, noise.chroma) == (pytest.approx(9, abs=1.2), 0)


@pytest.mark.parametrize("size", [(1, 1), (39, 500), (500, 8), (30, 30)])
def test_too_small_to_judge(size):
    report = subpixel.inspect(np.zeros((*size, 3), np.uint8))
    assert report.summary == "too little to judge"
    assert (report.clean, report.jpeg, report.noise, report.blur) == (True, None, None, None)


def test_what_is_no_image(tmp_path):
    for image in (
        np.zeros((3, 3), bool),
        np.full((50, 50), 2.0),
        np.zeros((4, 4, 7), np.uint8),
        7,
        np.zeros((0, 5), np.uint8),
    ):
        with pytest.raises(BadRequest):
            subpixel.inspect(image)
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    for path in (tmp_path / "a.jpg", tmp_path / "none.png"):
        with pytest.raises(UnreadableImage):
            subpixel.inspect(path)


# --- windows


class _Giant:
    """30,000 x 20,000 pixels of noise, made when they are asked for; keeps what was asked."""

    shape = Shape(20_000, 30_000, 3, dtype="uint8")

    def __init__(self):
        self.asked = []

    def rows(self, y0, y1):
        self.asked.append((y0, y1))
        row = np.random.default_rng(y0).normal(128, 6, (1, 30_000, 3))
        return np.repeat(row.astype(np.uint8), y1 - y0, axis=0)


def test_a_giant_is_read_by_strips_once_from_top_to_bottom():
    giant = _Giant()
    inspect_rows(giant)
    assert len(giant.asked) == GRID
    assert giant.asked == sorted(giant.asked)
    assert all(y1 - y0 == SIDE and y0 % 8 == 0 for y0, y1 in giant.asked)
    assert (giant.asked[0][0], giant.asked[-1][1]) == (0, 20_000)


def test_windows_lie_on_multiples_of_8():
    y, x = np.mgrid[:1500, :2000]
    levels = windows(Samples.of(np.stack([y % 256, x % 256, y // 256 * 8 + x // 256], axis=-1).astype(np.uint8)))
    assert levels.shape == (GRID**2, SIDE, SIDE, 3)
    assert not (levels[:, 0, 0, :2] % 8).any()
    assert len(np.unique(levels[:, 0, 0], axis=0)) == GRID**2
    assert windows(Samples.of(np.zeros((40, 30_000), np.uint8))).shape == (GRID, 40, SIDE, 1)


def test_luma_is_that_of_jpeg():
    levels = np.random.default_rng(0).integers(0, 256, (1, 40, 50, 3), np.uint8)
    expected = np.asarray(Pillow.fromarray(levels[0]).convert("YCbCr"))[..., 0]
    assert abs(luma(levels.astype(np.float32))[0] - expected).max() < 1.01

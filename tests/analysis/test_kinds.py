"""Pixel art, drawings, combs and dots."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFilter, ImageFont

import subpixel
from subpixel.analysis import screens
from subpixel.inference.choice import Restoration, choose, family


@pytest.fixture(scope="module")
def photo(examples):
    return np.asarray(Pillow.open(examples / "rocket.jpg").convert("RGB"))


def _halftone(photo, period, angle, contrast=2.0):
    """A dot screen: the threshold is a sum of cosines, with soft edges as a scanner sees them."""
    gray = photo.mean(axis=2)
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]] * (2 * np.pi / period)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    screen = (np.cos(x * c + y * s) + np.cos(y * c - x * s)) * 64 + 127
    return np.repeat(np.clip((gray - screen) * contrast + 127, 0, 255)[..., None], 3, axis=2).astype(np.uint8)


def _page():
    sheet = Pillow.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(sheet)
    for y in range(4, 290, 22):
        draw.text((6, y), "The quick brown fox jumps over the lazy dog 0123", "black", ImageFont.load_default(14))
    return np.asarray(sheet)


@pytest.mark.parametrize(("period", "angle"), [(4.5, 45), (5, 45), (7, 30), (6, 15)])
def test_a_dot_screen(photo, period, angle):
    report = subpixel.inspect(_halftone(photo, period, angle))
    assert report.halftone
    assert "halftone" in report.summary
    assert not report.interlaced


@pytest.mark.parametrize("contrast", [0.7, 0.4])
@pytest.mark.parametrize(("period", "angle"), [(4.5, 0), (5, 0), (6.3, 0), (7, 90), (5, 45), (7, 30)])
def test_soft_dots_also_along_the_rows_and_nothing_is_sharpened(photo, period, angle, contrast):
    report = subpixel.inspect(_halftone(photo, period, angle, contrast))
    assert report.halftone
    assert (report.blur, report.unrecognised, report.condition()["blur_unknown"]) == (None, False, 1)
    assert choose(report, Restoration()).first == family("swift")


def test_neither_lines_of_text_nor_a_movement_are_dots(photo):
    sheet = Pillow.new("L", (250, 200), 255)
    for y in range(5, 190, 20):
        ImageDraw.Draw(sheet).text((5, y), f"The quick brown fox jumps {y}", 0, ImageFont.load_default(14))
    plane = photo.astype(np.float32)
    moved = sum(plane[i : 180 + i, i : 240 + i] for i in range(5)) / 5
    stripes = photo[:192, :192] // 2 + np.uint8(60 + 60 * np.sin(np.arange(192) * 2 * np.pi / 5))[:, None]
    for image in (np.asarray(sheet), moved.round().astype(np.uint8), stripes):
        assert not subpixel.inspect(image).halftone


def test_the_grid_of_a_strong_jpeg_is_no_screen(photo):
    for scale in (1, 1.5, 2):
        file = io.BytesIO()
        Pillow.fromarray(photo[:192, :256]).save(file, "JPEG", quality=15)
        blocks = Pillow.open(file)
        enlarged = blocks.resize((int(256 * scale), int(192 * scale)), Pillow.Resampling.BICUBIC)
        assert not subpixel.inspect(enlarged).halftone


def test_combs(photo):
    combed = photo.copy()
    combed[1::2] = np.roll(photo, 6, axis=1)[1::2]
    assert subpixel.inspect(combed).interlaced
    assert not screens.is_interlaced(np.rot90(combed)[None].astype(np.float32))


def test_a_photo_has_neither(photo):
    report = subpixel.inspect(photo)
    assert (report.kind, report.interlaced, report.halftone) == ("photo", False, False)


def test_salt_and_pepper_are_told_and_neither_stars_nor_noise_nor_letters(photo):
    rng = np.random.default_rng(4)
    drawn = rng.random((*photo.shape[:2], 1))
    specks = np.where(drawn < 0.0015, 0, np.where(drawn > 0.9985, 255, photo)).astype(np.uint8)
    assert "dead or dusty pixels" in subpixel.inspect(specks).summary
    sky = rng.normal(12, 2, (300, 300)).clip(0)
    sky[rng.integers(0, 300, 400), rng.integers(0, 300, 400)] = rng.uniform(80, 255, 400)
    noisy = (photo + rng.normal(0, 25, photo.shape)).clip(0, 255)
    for image in (photo, sky.astype(np.uint8), noisy.astype(np.uint8), _page()):
        assert not subpixel.inspect(image).specks


@pytest.mark.parametrize("enlarged", [1, 2, 5, 16])
def test_pixel_art(enlarged):
    sprite = np.array([[0, 0, 0], [200, 40, 40], [250, 220, 120], [60, 90, 200]], np.uint8)
    coarse = sprite[np.random.default_rng(1).integers(0, 4, (32, 48))]
    fine = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    art = np.repeat(np.repeat(fine, enlarged, axis=0), enlarged, axis=1)
    report = subpixel.inspect(art)
    assert (report.kind, report.clean) == ("pixel-art", True)


@pytest.mark.parametrize("side", [16, 24, 32])
def test_a_small_sprite_is_pixel_art_and_a_small_photo_is_not(photo, side):
    colours = np.array([[0, 0, 0], [200, 40, 40], [250, 220, 120], [60, 90, 200]], np.uint8)
    sprite = colours[np.random.default_rng(1).integers(0, 4, (side // 2, side // 2))].repeat(2, 0).repeat(2, 1)
    assert subpixel.inspect(sprite).kind == "pixel-art"
    thumbnail = photo[:side, :side] // 32 * 32  # of few colours
    for small in (photo[:side, :side], thumbnail, sprite[:1, :1]):
        assert subpixel.inspect(small).summary == "too little to judge"


@pytest.mark.parametrize("side", [64, 128])
@pytest.mark.parametrize("name", ["rocket", "astronaut", "chelsea", "coffee"])
def test_a_dithered_photo_of_few_colours_is_none_and_a_dithered_sprite_is(examples, name, side):
    small = Pillow.open(examples / f"{name}.jpg").convert("RGB").resize((side, side), Pillow.Resampling.BOX)
    dithered = small.quantize(palette=small.quantize(16)).convert("RGB")
    assert subpixel.inspect(dithered).kind != "pixel-art"
    y, x = np.mgrid[:side, :side]
    balls = 1 + (np.hypot(y % 32 - 16, x % 32 - 16) < 12) + (np.hypot(y % 32 - 12, x % 32 - 12) < 5)
    balls[(y + x > side) & ((y + x) % 2 == 0)] = 0  # its lower half is shaded by checkers
    colours = np.array([[0, 0, 0], [200, 40, 40], [250, 220, 120], [60, 90, 200]], np.uint8)
    assert subpixel.inspect(colours[balls]).kind == "pixel-art"


def test_a_page_of_text_is_drawn_and_clean():
    report = subpixel.inspect(_page())
    assert (report.kind, report.clean) == ("drawing", True)


@pytest.mark.parametrize("period", [2, 3, 5, 7.3])
def test_one_pattern_over_and_over_is_not_judged(period):
    x = np.arange(256)
    thin, wide = (np.tile(np.uint8(255 * ((x / width) % 2 < 1)), (256, 1)) for width in (1, period))
    for levels in (thin, wide, np.tile(np.uint8(127.5 + 100 * np.sin(np.pi * x / period)), (256, 1))):
        report = subpixel.inspect(levels)
        assert report.kind == "pixel-art" or (report.summary, report.clean) == ("too little to judge", True)


@pytest.mark.parametrize("side", [128, 200, 256, 400])
def test_rings_are_not_taken_for_noise_that_outdoes_them(side):
    y, x = np.mgrid[:side, :side] - side / 2
    report = subpixel.inspect(np.uint8(127.5 + 127 * np.cos(np.pi * (x * x + y * y) / side)))
    assert report.noise is None


def test_nothing_but_noise_is_noise():
    levels = np.random.default_rng(2).integers(0, 256, (256, 256, 3), np.uint8)
    assert subpixel.inspect(levels).noise.sigma == pytest.approx(256 / 12**0.5, rel=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_of_a_gradient_nothing_is_told(seed):
    """Between four colours, rounded: what rounding leaves has looked like JPEG, a screen or blur."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(150, 600, 2)
    down, across = np.linspace(0, 1, height)[:, None, None], np.linspace(0, 1, width)[:, None]
    a, b, c, d = rng.uniform(0, 255, (4, 3))
    gradient = (a * (1 - across) + b * across) * (1 - down) + (c * (1 - across) + d * across) * down
    assert subpixel.inspect(gradient.round().astype(np.uint8)).summary == "too little to judge"


def test_a_strongly_blurred_photo_is_no_gradient(photo):
    blurred = Pillow.fromarray(photo).filter(ImageFilter.GaussianBlur(6))
    assert not screens.is_slope(np.asarray(blurred, np.float32)[None])

"""A known blur is undone before the networks: by the filter of the theory, in any band, where it is all there is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from subpixel import Upscaler
from subpixel.analysis import Blur, DegradationReport, Jpeg, Noise
from subpixel.deconvolution import NOISE, REACH, Covariance, wiener
from subpixel.degradations import GaussianBlur, classical
from subpixel.images import Floats, Image, read
from subpixel.inference.choice import Restoration, choose
from subpixel.inference.deconvolution import DeblurredRows
from subpixel.inference.rows import OPEN, ArrayRows
from subpixel.metrics.psnr import psnr

PHOTO = Path(__file__).parents[2] / "examples" / "astronaut.jpg"
BLUR: Covariance = (0.5, 0.3, 0.1)


def filtered(pixels: Floats, blur: Covariance) -> Floats:
    rows = DeblurredRows(ArrayRows.of(Image.from_array(pixels)), blur, OPEN)
    return rows.rows(0, rows.shape.height)


def photo() -> Floats:
    return read(PHOTO).pixels[:256, 100:330].astype(np.float32)


def test_the_filter_is_wieners() -> None:
    """Up to what the pixels beyond REACH would add, which is most at the highest frequencies."""
    fy, fx = np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)
    transfer = np.exp(-2 * np.pi**2 * (0.5 * fx**2 + 0.3 * fy**2 - 2 * 0.1 * fx * fy))
    expected = transfer / (transfer**2 + NOISE * (fx**2 + fy**2))
    padded = np.pad(wiener(BLUR), (32 - REACH, 31 - REACH))
    response = np.fft.fft2(np.fft.ifftshift(padded))
    assert np.abs(response.imag).max() < 1e-12
    low = (np.abs(fx) < 0.4) & (np.abs(fy) < 0.4)
    assert np.sqrt(np.mean((response.real - expected)[low] ** 2)) < 0.04
    assert expected[low].max() > 5


def test_rows_are_convolved_with_it() -> None:
    pixels = photo()[:70, :50]
    padded = np.pad(pixels.astype(np.float64), ((REACH, REACH), (REACH, REACH), (0, 0)), mode="symmetric")
    weights = wiener(BLUR)
    expected = sum(weights[y, x] * padded[y : y + 70, x : x + 50] for y, x in np.ndindex(weights.shape))
    assert 255 * np.abs(filtered(pixels, BLUR) - expected).max() < 0.25


@pytest.mark.parametrize("angle", [0, 30, 120])
def test_what_a_blur_took_comes_back(angle: float) -> None:
    """The angle runs counter-clockwise; the filter of the mirrored blur does not bring it back."""
    rng, reduction = np.random.default_rng(0), classical(2)
    sharp = reduction.apply(photo(), rng)
    blurred = reduction.apply(GaussianBlur(1.6, 0.8, angle).apply(photo(), rng), rng)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    a, b = 0.8**2, 0.4**2
    blur = (a * c * c + b * s * s, a * s * s + b * c * c, (a - b) * c * s)
    before, after = (psnr(image, sharp) for image in (blurred, filtered(blurred, blur)))
    assert after > before + 6
    if blur[2]:
        assert psnr(filtered(blurred, (blur[0], blur[1], -blur[2])), sharp) < after - 6


def test_constants_stay_what_they_are() -> None:
    assert wiener(BLUR).sum() == pytest.approx(1, abs=1e-12)
    assert filtered(np.full((70, 50, 3), 0.3, np.float32), BLUR) == pytest.approx(0.3, abs=1e-6)


def test_any_band_has_the_bits_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    rows = DeblurredRows(ArrayRows.of(Image.from_array(rng.random((150, 40, 3), np.float32))), BLUR)
    whole = rows.rows(0, 150)
    for y0, y1 in ((0, 1), (63, 65), (10, 140), (149, 150)):
        assert np.array_equal(rows.rows(y0, y1), whole[y0:y1])


def test_smaller_than_the_filter() -> None:
    assert filtered(np.full((3, 1, 3), 0.5, np.float32), BLUR) == pytest.approx(0.5, abs=1e-6)


def test_it_is_chosen_where_a_blur_is_all() -> None:
    little = Blur(xx=0.4, yy=0.3, xy=0.1, source="edges")
    usual = Restoration()
    told = choose(DegradationReport(blur=little), usual).blur
    assert told == pytest.approx((0.93**2 * 0.4, 0.93**2 * 0.3, 0.93**2 * 0.1))
    assert choose(DegradationReport(blur=little), usual).condition is None
    assert choose(DegradationReport(), usual).blur is None
    for report in (
        DegradationReport(blur=Blur(xx=0.4, yy=0.3)),  # what else was done is not known
        DegradationReport(blur=Blur(xx=0.75, yy=0.75, source="edges")),  # too much for a filter
        DegradationReport(blur=Blur(xx=0.6, yy=0.1, source="edges")),  # a movement
        DegradationReport(blur=little, noise=Noise(sigma=4)),
        DegradationReport(blur=little, noise=None),
        DegradationReport(blur=little, jpeg=Jpeg(quality=80)),
        DegradationReport(blur=little, native_scale=0.7),
    ):
        choice = choose(report, usual)
        assert choice.blur is None
        assert choice.condition is not None
    assert choose(DegradationReport(blur=little), Restoration(deblur=0.0)).blur is None
    assert choose(DegradationReport(), Restoration(deblur=0.25)).blur == pytest.approx((0.4225, 0.4225, 0))
    assert choose(DegradationReport(blur=little), Restoration(detail=0.5)).condition is not None


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((100, 200), []), ((101, 200), ["swift-deblur-x2"]), ((300, 600), ["swift-deblur-x4"]),
        ((800, 1600), ["swift-deblur-x4", "swift-x2"]),
    ],
)  # fmt: skip
def test_what_was_filtered_goes_through_its_own_network_once(sides: tuple[int, int], expected: list[str]) -> None:
    choice = choose(DegradationReport(blur=Blur(xx=0.4, yy=0.3, source="edges")), Restoration())
    assert choice.networks(100, 200, sides) == expected


@pytest.mark.parametrize(("variance", "first"), [(0.28, "swift"), (0.3, "swift-deblur"), (0.73, "swift-deblur")])
def test_a_slight_blur_leaves_little_to_a_network_of_its_own(variance: float, first: str) -> None:
    """Up to half a pixel as it is told: 0.93 of a deviation of 0.529 is 0.492, of 0.548 0.509, of 0.854 0.795."""
    choice = choose(DegradationReport(blur=Blur(xx=variance, yy=variance, source="edges")), Restoration())
    assert choice.blur == pytest.approx((0.93**2 * variance, 0.93**2 * variance, 0))
    assert choice.networks(100, 200, (200, 400)) == [f"{first}-x2"]


def test_the_upscaler_undoes_it_in_tiles_as_in_the_whole() -> None:
    image = Image.from_array(photo()[:120, :90])
    report = DegradationReport(blur=Blur(xx=0.36, yy=0.36, source="edges"))
    results: list[Floats] = []
    for tile in (0, 32):
        rows = ArrayRows.of(image)
        plan = Upscaler(scale=2, tile=tile).prepare(image.shape, report)
        assert plan.networks == "Wiener's filter, then swift-deblur-x2"
        results.append(plan.rows(rows).rows(0, 240))
    assert results[1] == pytest.approx(results[0], abs=1e-5)
    told = 0.93**2 * 0.36
    sharp = Upscaler("swift-deblur-x2")(np.clip(filtered(image.pixels, (told, told, 0.0)), 0, 1))
    assert results[0] == pytest.approx(sharp, abs=1e-5)

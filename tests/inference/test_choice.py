"""What `auto` chooses, against hand-made decisions; and that what it then does is what the chosen model does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from subpixel import models
from subpixel.analysis import Blur, DegradationReport, Jpeg, Noise, inspect
from subpixel.analysis.report import UNKNOWN
from subpixel.degradations import Chain, GaussianNoise, classical, real_world
from subpixel.degradations import Jpeg as JpegFile
from subpixel.errors import BadRequest
from subpixel.images import Image, dequantise, quantise, read
from subpixel.inference.choice import Choice, Restoration, choose, default_factor
from subpixel.inference.file import upscale_file
from subpixel.inference.rows import ArrayRows
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs.request import Request
from subpixel.metrics.protocol import modcrop
from subpixel.metrics.psnr import psnr
from subpixel.ports import Shape

SWIFT = {2: "swift-x2", 3: "swift-x3", 4: "swift-x4"}
RESTORE = {1: "restore-x1", 2: "restore-x2", 4: "restore-x4"}
BLIND = {1: "restore-blind-x1", 2: "restore-blind-x2", 4: "restore-blind-x4"}
CLEAN = DegradationReport()
COMPRESSED = DegradationReport(jpeg=Jpeg(quality=40))


def test_a_clean_image_is_only_enlarged():
    assert choose(CLEAN, Restoration()) == Choice(SWIFT, reason="nothing wrong found")
    unknown = DegradationReport(jpeg=None, noise=None, blur=None, native_scale=None)
    assert choose(unknown, Restoration()).first == SWIFT


def test_a_degraded_image_is_restored_by_what_was_found():
    report = DegradationReport(jpeg=Jpeg(quality=40), noise=Noise(sigma=5, chroma=2.5), blur=None)
    choice = choose(report, Restoration())
    assert (choice.first, choice.then, choice.reason) == (RESTORE, SWIFT, "JPEG of quality 40, noise of about 5 levels")
    assert choice.condition is not None
    assert {name: value for name, value in choice.condition.items() if value} == pytest.approx(
        {"jpeg": 60 / 75, "noise": 0.2, "chroma_noise": 0.1, "blur_unknown": 1}
    )


@pytest.mark.parametrize(
    ("quality", "sigma", "restored"), [(91, 0, False), (90, 0, True), (100, 2, False), (100, 3, True)]
)
def test_little_is_left_alone(quality: int, sigma: float, restored: bool):
    report = DegradationReport(jpeg=Jpeg(quality=quality), noise=Noise(sigma=sigma))
    assert (choose(report, Restoration()).first == RESTORE) is restored


@pytest.mark.parametrize(
    "report",
    [
        DegradationReport(blur=None),
        DegradationReport(blur=None, noise=Noise(sigma=4)),
        DegradationReport(blur=Blur(xx=1.2, yy=1.2), noise=None),
    ],
)
def test_what_is_not_recognised_is_restored_without_being_told_anything(report: DegradationReport):
    choice = choose(report, Restoration())
    assert (choice.first, choice.then) == (BLIND, SWIFT)
    assert choice.reason.endswith("degraded in a way that is not recognised")
    assert choice.condition is not None
    assert {name for name, value in choice.condition.items() if value} == {
        "noise_unknown", "jpeg_unknown", "blur_unknown",
    }  # fmt: skip
    assert choose(report, Restoration(denoise=0, deblock=0, deblur=0)).first == SWIFT
    assert not report.clean


def test_after_several_degradations_the_blind_network_is_nearer(examples: Path):
    """Than swift, and than the one for what is recognised: photos degraded twice over, of which a blur can be told."""
    gains: list[list[float]] = []
    for name in ("astronaut.jpg", "chelsea.jpg", "coffee.jpg", "seeding.jpg"):
        high = modcrop(read(examples / name).pixels, 2)
        levels = quantise(real_world(2).apply(high, np.random.default_rng(0)), 8)
        assert inspect(levels).unrecognised, name
        told = models.load("restore-x2").conditioned(UNKNOWN.condition())
        results = [Upscaler(model)(levels) for model in ("auto", told, "swift")]
        gains.append([psnr(dequantise(result), high) for result in results])
    auto, restore, swift = np.mean(gains, axis=0)
    assert auto > restore > swift


def test_one_blur_and_one_unknown_are_recognised():
    for report in (
        DegradationReport(blur=Blur(xx=1.2, yy=1.2)),
        DegradationReport(blur=Blur(xx=1.2, yy=1.2), noise=None, jpeg=Jpeg(quality=60)),
        DegradationReport(noise=None),
        DegradationReport(blur=None, jpeg=None),
    ):
        assert not report.unrecognised


def test_strengths_take_the_place_of_what_was_found():
    report = DegradationReport(jpeg=Jpeg(quality=40), noise=None, blur=Blur(xx=1, yy=0.5, xy=0.3))
    told = Restoration(denoise=0.5, deblock=0, deblur=1).condition(report)
    assert {name: value for name, value in told.items() if value} == pytest.approx(
        {"noise": 0.5, "chroma_noise": 0.5, "blur_xx": 1.69, "blur_yy": 1.69}
    )
    assert choose(COMPRESSED, Restoration(deblock=0)).first == SWIFT
    assert choose(CLEAN, Restoration(denoise=0.2)).first == RESTORE
    for strength in (-0.1, 1.1, float("nan"), "much"):
        with pytest.raises(BadRequest, match="expected auto, or a number from 0 to 1"):
            Restoration(denoise=strength)  # pyright: ignore[reportArgumentType]


def test_pixel_art_keeps_its_edges_unless_it_is_damaged():
    art = DegradationReport(kind="pixel-art")
    assert choose(art, Restoration()) == Choice(kernel="nearest", reason=art.summary)
    damaged = DegradationReport(kind="pixel-art", jpeg=Jpeg(quality=40))
    assert choose(damaged, Restoration()).first == RESTORE


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((50, 100), ["restore-x1"]), ((100, 200), ["restore-x1"]), ((101, 200), ["restore-x2"]),
        ((200, 400), ["restore-x2"]), ((300, 600), ["restore-x4"]), ((400, 800), ["restore-x4"]),
        ((800, 1600), ["restore-x4", "swift-x2"]), ((100, 1600), ["restore-x4", "swift-x2"]),
    ],
)  # fmt: skip
def test_it_is_restored_once_and_then_enlarged(sides: tuple[int, int], expected: list[str]):
    choice = choose(COMPRESSED, Restoration())
    assert choice.networks(100, 200, sides) == expected


def test_default_factors():
    assert default_factor(RESTORE) == 2
    assert default_factor({1: "restore-x1"}) == 1
    assert default_factor({4: "swift-x4"}) == 4
    assert default_factor({}) == 2


@pytest.fixture(scope="module")
def low(examples: Path) -> Image:
    """A clean photo: reduced, so that nothing of its own compression is left."""
    pixels = read(examples / "coffee.jpg").pixels[:384, :512]
    return Image(classical(2).apply(pixels, np.random.default_rng(0)))


def test_clean_images_lose_nothing(low: Image):
    """Bit for bit what swift gives, 8 bit and float."""
    levels = quantise(low.pixels, 8)
    assert inspect(levels).clean
    np.testing.assert_array_equal(Upscaler()(levels), Upscaler("swift")(levels))
    np.testing.assert_array_equal(Upscaler()(low).pixels, Upscaler("swift")(low).pixels)


def test_a_degraded_image_gets_the_conditioned_model(low: Image, tmp_path: Path):
    """As an array and as a file; what is known of it stands in the plan's line."""
    degraded = Chain((GaussianNoise(8 / 255), JpegFile(45))).apply(low.pixels, np.random.default_rng(1))
    levels = quantise(degraded, 8)
    report = inspect(levels)
    assert report.jpeg is not None
    assert report.jpeg.quality == 45
    told = models.load("restore-x2").conditioned(report.condition())
    expected = Upscaler(told)(levels)
    with Upscaler() as upscaler:
        np.testing.assert_array_equal(upscaler(levels), expected)
        lines: list[str] = []
        PIL.Image.fromarray(levels).save(tmp_path / "a.png")
        upscale_file(
            tmp_path / "a.png", tmp_path / "b.png", upscaler, on_progress=lambda plan, _: lines.append(plan.describe())
        )
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tmp_path / "b.png")), expected)
    assert lines[0].startswith(f"{report.summary}; restore-x2 to 512x384")
    assert np.abs(expected.astype(int) - Upscaler("swift")(levels)).mean() > 1


def test_a_restoring_model_by_name_is_told_the_report_too(low: Image):
    levels = quantise(low.pixels, 8)
    clean = models.load("restore-x2").conditioned(DegradationReport().condition())
    np.testing.assert_array_equal(Upscaler("restore")(levels), Upscaler(clean)(levels))
    assert Upscaler("restore-x1")(levels).shape == levels.shape


def test_the_tables_of_a_jpeg_file_are_read(low: Image):
    """A compression that hardly shows in the pixels."""
    file = io.BytesIO()
    PIL.Image.fromarray(quantise(low.pixels, 8)).save(file, "JPEG", quality=88)
    reasons: list[str] = []
    with Upscaler() as upscaler:
        upscale_file(file.getvalue(), io.BytesIO(), upscaler, on_progress=lambda plan, _: reasons.append(plan.reason))
    assert "JPEG of quality 88" in reasons[0]


def test_one_condition_is_compiled_once(monkeypatch: pytest.MonkeyPatch):
    from subpixel.inference import upscaler as module

    opened: list[str] = []
    real = module.open_runtime
    monkeypatch.setattr(module, "open_runtime", lambda model, how: opened.append(model.card.name) or real(model, how))
    with Upscaler() as upscaler:
        shape = upscaler.prepare(Shape(40, 50, 3), COMPRESSED).source
        for quality in (40, 40, 41):
            upscaler.prepare(shape, DegradationReport(jpeg=Jpeg(quality=quality)))
    assert opened == ["restore-x2", "restore-x2"]


def test_detail_is_on_the_way_between_two_models(low: Image):
    """0 is restore, 1 is restore-gan, told the same; a clean image gets detail too."""
    levels = quantise(Image(low.pixels[:96, :96]).pixels, 8)
    told = inspect(levels).condition()
    ends = [Upscaler(models.load(f"{family}-x2").conditioned(told))(levels) for family in ("restore", "restore-gan")]
    results = [Upscaler("restore", restoration=Restoration(detail=share))(levels) for share in (0, 0.5, 1)]
    np.testing.assert_array_equal(results[0], ends[0])
    np.testing.assert_array_equal(results[2], ends[1])
    assert 0 < np.abs(results[1] - results[0].astype(float)).mean() < np.abs(ends[1] - ends[0].astype(float)).mean()
    choice = choose(CLEAN, Restoration(detail=0.5))
    assert (choice.first, choice.detail) == (RESTORE, 0.5)
    np.testing.assert_array_equal(Upscaler(restoration=Restoration(detail=1))(levels), ends[1])
    with pytest.raises(
        BadRequest, match="detail: restore-gan-x2 has no counterpart that invents any; use auto or restore"
    ):
        Upscaler("restore-gan", restoration=Restoration(detail=0.5))(levels)


def test_detail_for_what_is_not_recognised_is_added_to_what_its_network_knows(low: Image):
    """It is restore-blind and what restore-gan has beyond restore, not restore-gan."""
    levels = quantise(Image(low.pixels[:96, :96]).pixels, 8)
    blind, start, end = (models.load(f"{family}-x2") for family in ("restore-blind", "restore", "restore-gan"))
    for share in (0.5, 1):
        network = blind.with_difference(start, end, share).conditioned(inspect(levels).condition())
        result = Upscaler("restore-blind", restoration=Restoration(detail=share))(levels)
        np.testing.assert_array_equal(result, Upscaler(network)(levels))


def test_detail_of_a_model_that_is_told_nothing_is_refused():
    with pytest.raises(BadRequest, match="detail: swift-x2 has no counterpart"):
        Upscaler("swift", restoration=Restoration(detail=0.5))(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(BadRequest, match="detail: bicubic invents none; use auto or restore"):
        Upscaler("bicubic", restoration=Restoration(detail=0.5))(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("model", ["espcn", "lanczos"])
@pytest.mark.parametrize("name", ["denoise", "deblock", "deblur", "grain"])
def test_a_strength_is_not_swallowed_by_what_is_told_nothing(name: str, model: str) -> None:
    levels = np.zeros((8, 8, 3), np.uint8)
    Upscaler(model, scale=2, restoration=Restoration(**{name: 0}))(levels)
    with pytest.raises(BadRequest, match=f"{name}: {model} is told nothing of an image; use auto or restore"):
        Upscaler(model, scale=2, restoration=Restoration(**{name: 0.5}))(levels)


def test_grain_is_given_back_as_it_was_found(low: Image):
    """Its deviation in what is flat, its colour, and the same for any band."""
    told = {"denoise": 0.4, "deblock": 0, "deblur": 0}  # 10 levels
    flat = Image(np.full((120, 90, 3), 0.5, np.float32))
    bare = Upscaler("restore-x1", restoration=Restoration(**told))
    grained = Upscaler("restore-x1", restoration=Restoration(**told, grain=0.5))
    grain = 255 * (grained(flat).pixels - bare(flat).pixels)
    assert grain.std() == pytest.approx(5, rel=0.03)
    assert abs(np.corrcoef(grain[..., 0].ravel(), grain[..., 1].ravel())[0, 1]) < 0.05
    rows = grained.plan(ArrayRows.of(flat), deep=False).rows(ArrayRows.of(flat))
    np.testing.assert_array_equal(rows.rows(50, 60), grained(flat).pixels[50:60])
    with pytest.raises(BadRequest, match="grain 'auto'"):
        Restoration(grain="auto")  # pyright: ignore[reportArgumentType]


def test_a_request_carries_it():
    request = Request.parse('{"restoration": {"denoise": 0.25, "deblur": "auto"}}')
    assert (request.model, request.restoration) == ("auto", Restoration(denoise=0.25))
    assert Request.parse(request.model_dump_json()) == request
    with pytest.raises(BadRequest, match="restoration"):
        Request.parse({"restoration": {"denoise": 2}})

"""Evaluation: pairs, the loop over them, and reports."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import numpy as np
import pytest

from subpixel import color
from subpixel.degradations import GaussianNoise, Resize, classical, real_world
from subpixel.errors import BadRequest, DataError
from subpixel.evaluation.evaluate import METRICS, Pair, degraded, described, evaluate, evaluate_folder, luma_of
from subpixel.evaluation.report import Published, Report, Row, merged
from subpixel.images import Image, read, write
from subpixel.metrics.protocol import Protocol
from subpixel.resample import resize


def _image(height, width, channels=3, seed=0):
    return Image(np.random.default_rng(seed).random((height, width, channels), np.float32))


def _repeat(low):
    return Image(np.ascontiguousarray(low.pixels.repeat(2, axis=0).repeat(2, axis=1)))


# --- pairs


def test_pairs_are_cut_and_reduced_as_the_benchmarks_are():
    image = _image(23, 31)
    (pair,) = degraded([("a", image)], 3)
    assert np.array_equal(pair.high.pixels, image.pixels[:21, :30])
    levels = np.floor(pair.high.pixels * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(np.round(pair.low.pixels * 255), resize(levels, 7, 10))


def test_every_image_has_its_own_noise_again_and_again():
    images = [(str(k), Image(np.full((8, 8, 3), 0.5, np.float32))) for k in range(2)]
    same_size = GaussianNoise(0.1)
    first, second = (pair.low.pixels for pair in degraded(images, 1, same_size, seed=5))
    again, _ = (pair.low.pixels for pair in degraded(images, 1, same_size, seed=5))
    other, _ = (pair.low.pixels for pair in degraded(images, 1, same_size, seed=6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_degradation_of_another_size_is_refused():
    with pytest.raises(DataError, match=r"a: Resize\(.* gives 4x4 pixels; expected 1/4 of the sides"):
        list(degraded([("a", _image(8, 8))], 4, Resize(0.5)))


def test_an_image_below_the_scale_is_refused():
    with pytest.raises(BadRequest, match="3x9 is smaller than the scale 4"):
        list(degraded([("a", _image(9, 3))], 4))


def test_luma_images():
    image = _image(4, 5)
    gray = luma_of(image)
    assert gray.channels == 1
    expected = np.round(255 * color.luma(image.pixels.astype(np.float64)))
    np.testing.assert_allclose(255 * gray.pixels[..., 0], expected, atol=1e-4)
    assert luma_of(gray) is gray


# --- evaluate


def test_values_by_hand():
    high = np.full((8, 8, 1), 0.5, np.float32)
    pairs = [
        Pair("near", Image(np.full((4, 4, 1), 0.6, np.float32)), Image(high)),
        Pair("far", Image(np.full((4, 4, 1), 0.9, np.float32)), Image(high)),
    ]
    report = evaluate(
        _repeat,
        pairs,
        2,
        model="repeat",
        dataset="two",
        protocol=Protocol(round8="none"),
        metrics={"psnr": METRICS["psnr"]},
    )
    assert [row.image for row in report.rows] == ["near", "far"]
    assert [row.value for row in report.rows] == pytest.approx([20, -20 * math.log10(0.4)], abs=1e-5)
    assert report.mean("repeat", "two", 2, "psnr") == pytest.approx((20 - 20 * math.log10(0.4)) / 2, abs=1e-5)
    assert report.protocol == "Y (BT.601), shave scale, rounded to 8 bit: none, modcrop"


@pytest.mark.parametrize("form", ["images", "markdown", "csv", "json"])
def test_names_can_be_printed_whatever_files_are_called(form):
    odd = "a|\x1b[31mb\n\udcff"
    report = evaluate(lambda low: low, [Pair(odd, _image(20, 20), _image(20, 20))], 1,
                      model=odd, dataset=odd, metrics={"psnr": METRICS["psnr"]})  # fmt: skip
    text = getattr(report, form)()
    assert "\x1b" not in text
    assert text.encode().count(rb"b\n\xff" if form != "json" else rb"b\\n\\xff") >= 3 - (form == "markdown")
    if form in ("images", "markdown"):
        (line,) = (line for line in text.splitlines() if line.startswith(r"| a\|\x1b[31mb\n\xff |"))
        assert len(re.findall(r"(?<!\\)\|", line)) == (3 if form == "images" else 9)


def test_a_perfect_upscaler():
    images = [("a", _image(200, 200))]
    report = evaluate(lambda low: Image(images[0][1].pixels), degraded(images, 2), 2,
                      protocol=Protocol(round8="none"), metrics=METRICS)  # fmt: skip
    assert [row.value for row in report.rows] == pytest.approx([math.inf, 1, 1])


def test_any_two_images_to_a_number_is_a_metric():
    report = evaluate(
        _repeat, degraded([("a", _image(8, 8))], 2), 2, protocol=Protocol(luma=False, shave=1),
        metrics={"samples": lambda a, b: a.size},
    )  # fmt: skip
    assert report.rows[0].value == 6 * 6 * 3


def test_a_result_of_the_wrong_size_names_the_image():
    with pytest.raises(BadRequest, match=r"set/a: the result has shape \(4, 4, 3\)"):
        evaluate(lambda low: low, degraded([("a", _image(8, 8))], 2), 2, dataset="set")


def test_a_metric_that_is_no_number_is_refused():
    with pytest.raises(BadRequest, match="images/a: the result of model holds values that are not numbers"):
        evaluate(_repeat, degraded([("a", _image(8, 8))], 2), 2, metrics={"bad": lambda a, b: math.nan})


def test_no_images():
    with pytest.raises(DataError, match="nothing: no images to measure"):
        evaluate(_repeat, [], 2, dataset="nothing")


def test_colour_metrics_get_three_channels_whatever_the_protocol():
    images = [("gray", _image(8, 8, 1)), ("colour", _image(8, 8))]
    report = evaluate(
        _repeat, degraded(images, 2), 2,
        metrics={"values": lambda a, b: a.ndim}, colour={"lpips": lambda a, b: a.size},
    )  # fmt: skip
    assert [(row.metric, row.value) for row in report.rows] == [("values", 2), ("lpips", 4 * 4 * 3)] * 2
    assert report.protocol == f"{Protocol()}; lpips: RGB"


def test_a_folder_is_measured_as_its_images_are(tmp_path):
    for name in ("b.png", "deep/a.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "photos" / name, _image(20, 24, seed=len(name)))
    report = evaluate_folder(_repeat, tmp_path / "photos", 2, model="repeat")
    images = [(name, read(tmp_path / "photos" / name)) for name in ("b.png", "deep/a.png")]
    expected = evaluate(_repeat, degraded(images, 2), 2, model="repeat", dataset="photos")
    assert report.rows == expected.rows
    assert report.degradation == "bicubic (MATLAB's imresize of 8-bit images)"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images in"):
        evaluate_folder(_repeat, tmp_path / "empty", 2)


def test_degradations_in_words():
    assert described(classical(3), 3) == "bicubic (MATLAB's imresize of 8-bit images)"
    assert described(classical(3), 2).startswith("Downsample(scale=3")
    assert described(real_world(4), 4).startswith("real-world (each image")
    assert described(Resize(0.5), 2) == "Resize(factor=0.5, kernel='bicubic')"


# --- reports


@pytest.fixture
def report():
    rows = (
        Row("m", "Set5", 2, "a", "psnr", 30.0),
        Row("m", "Set5", 2, "b", "psnr", 31.0),
        Row("m", "Set5", 2, "a", "ssim", 0.5),
        Row("m", "Set5", 3, "a", "psnr", math.inf),
    )
    published = (Published("m", "Set5", 2, "psnr", 30.25, "PAPER"), Published("m", "Set14", 2, "psnr", 1.0, "PAPER"))
    return Report("Y", "bicubic, exact", rows, published, ("A note.",))


def test_means_and_differences(report):
    first, second, third = report.means()
    assert (first.value, first.images, first.published, first.difference) == (30.5, 2, 30.25, 0.25)
    assert (second.metric, second.published, second.difference, second.source) == ("ssim", None, None, "")
    assert third.value == math.inf
    with pytest.raises(BadRequest, match="psnr of m x4 on Set5 is not in this report"):
        report.mean("m", "Set5", 4, "psnr")


def test_markdown(report):
    assert str(report) == (
        "Protocol: Y. Degradation: bicubic, exact.\n"
        "\n"
        "| model | data set | scale | metric | measured | published | difference | source |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| m | Set5 | x2 | psnr | 30.500 | 30.25 | +0.250 | PAPER |\n"
        "| m | Set5 | x2 | ssim | 0.50000 |  |  |  |\n"
        "| m | Set5 | x3 | psnr | inf |  |  |  |\n"
        "\n"
        "A note.\n"
    )


def test_csv(report):
    lines = list(csv.DictReader(io.StringIO(report.csv())))
    assert [line["image"] for line in lines] == ["a", "b", "a", "a", "", "", ""]
    assert lines[1] == {
        "model": "m", "dataset": "Set5", "scale": "2", "image": "b", "metric": "psnr", "value": "31.0",
        "published": "", "difference": "", "source": "", "protocol": "Y", "degradation": "bicubic, exact",
    }  # fmt: skip
    assert lines[4] == {
        "model": "m", "dataset": "Set5", "scale": "2", "image": "", "metric": "psnr", "value": "30.5",
        "published": "30.25", "difference": "0.25", "source": "PAPER", "protocol": "Y",
        "degradation": "bicubic, exact",
    }  # fmt: skip


def test_images(report):
    assert report.images() == (
        "Protocol: Y. Degradation: bicubic, exact.\n"
        "\n"
        "m x2, Set5:\n"
        "\n"
        "| image | psnr | ssim |\n"
        "|---|---|---|\n"
        "| a | 30.000 | 0.50000 |\n"
        "| b | 31.000 |  |\n"
        "| **mean** | 30.500 | 0.50000 |\n"
        "| published (PAPER) | 30.25 (+0.250) |  |\n"
        "\n"
        "m x3, Set5:\n"
        "\n"
        "| image | psnr |\n"
        "|---|---|\n"
        "| a | inf |\n"
        "| **mean** | inf |\n"
        "\n"
        "A note.\n"
    )


@pytest.mark.parametrize("format", ["markdown", "images", "csv", "json"])
def test_no_table_without_its_protocol_and_degradation(format):
    text = getattr(Report("PROTOCOL", "DEGRADATION", (Row("m", "Set5", 2, "a", "psnr", 30.0),)), format)()
    assert "PROTOCOL" in text
    assert "DEGRADATION" in text


def test_json(report):
    page = json.loads(report.json())
    assert page["means"][0]["difference"] == 0.25
    assert page["rows"][3]["value"] == "inf"
    assert page["notes"] == ["A note."]


def test_merging(report):
    other = Report("Y", "bicubic, exact", (Row("n", "Set5", 2, "a", "psnr", 1.0),), report.published, ("A note.",))
    both = merged([report, other])
    assert both.rows == report.rows + other.rows
    assert both.published == report.published
    assert both.notes == ("A note.",)
    with pytest.raises(BadRequest, match="2 protocols or degradations in 2 reports"):
        merged([report, Report("RGB", "bicubic, exact", ())])
    with pytest.raises(BadRequest, match="0 protocols"):
        merged([])

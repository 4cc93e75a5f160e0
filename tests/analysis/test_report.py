"""The report as a value: JSON, words, and what a network is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subpixel.analysis.report import UNKNOWN, Blur, DegradationReport, Jpeg, Noise
from subpixel.condition import CONDITION
from subpixel.errors import BadRequest

OLD = DegradationReport(
    jpeg=Jpeg(quality=52, phase=(3, 5), earlier=40, confidence=0.9),
    noise=Noise(sigma=4.2, chroma=2.1, shot=0.5, confidence=0.8),
    blur=Blur(xx=0.5, yy=0.3, xy=0.1, confidence=0.7),
    native_scale=0.5,
)


@pytest.mark.parametrize(
    "report", [OLD, UNKNOWN, DegradationReport(), DegradationReport(kind="drawing", halftone=True)]
)
def test_a_report_survives_json(report):
    assert DegradationReport.parse(report.to_json()) == report
    assert DegradationReport.parse(json.loads(report.to_json())) == report


def test_a_file_holds_what_inspect_prints(tmp_path: Path):
    said = {"image": "a.png", "clean": False, "summary": OLD.summary, **OLD.model_dump()}
    (path := tmp_path / "r.json").write_text(json.dumps(said))
    assert DegradationReport.read(path) == OLD
    for text, why in (
        ("{}\n{}", "is no report; expected the one line of"),
        ("[1]", "is no report"),
        ('{"jpeg": {"quality": 0}}', "r.json: jpeg.quality: "),
    ):
        path.write_text(text)
        with pytest.raises(BadRequest, match=why):
            DegradationReport.read(path)
    with pytest.raises(BadRequest, match=r"cannot read .*: no such file"):
        DegradationReport.read(tmp_path / "none.json")


def test_an_undegraded_image_has_all_zeros():
    assert DegradationReport().clean
    assert DegradationReport().condition() == dict.fromkeys(CONDITION, 0.0)
    assert DegradationReport().summary == "nothing wrong found"


def test_the_condition_has_the_units_of_training():
    assert OLD.condition() == pytest.approx({
        "jpeg": 60 / 75, "noise": 4.2 / 25, "chroma_noise": 2.1 / 25, "shot": 0.5, "blur_xx": 0.5, "blur_yy": 0.3,
        "blur_xy": 0.1, "resampled": 0.5, "noise_unknown": 0, "jpeg_unknown": 0, "blur_unknown": 0,
    })  # fmt: skip


def test_the_condition_stays_in_the_range_of_training():
    worst = DegradationReport(jpeg=Jpeg(quality=3), noise=Noise(sigma=60, chroma=60), blur=Blur(xx=8, yy=4, xy=2))
    told = worst.condition()
    assert (told["jpeg"], told["noise"], told["chroma_noise"]) == (pytest.approx(80 / 75), 1, 1)
    assert (told["blur_xx"], told["blur_yy"], told["blur_xy"]) == pytest.approx((2, 1, 0.5))  # of the same shape


def test_what_is_unknown_is_said_and_nothing_is_done():
    told = UNKNOWN.condition()
    assert {name for name, value in told.items() if value} == {"noise_unknown", "jpeg_unknown", "blur_unknown"}
    assert UNKNOWN.clean
    assert UNKNOWN.summary == "too little to judge"


@pytest.mark.parametrize(("report", "words"), [
    (OLD, "JPEG of quality 52 after one of 40, noise of about 4 levels, a little blurred, enlarged before from 50% of "
          "its size"),
    (DegradationReport(jpeg=Jpeg(quality=98, source="file")), "nothing wrong found"),
    (DegradationReport(noise=Noise(sigma=1.2)), "noise of about 1 level"),
    (DegradationReport(blur=Blur(xx=4, yy=0.04)), "strongly blurred along 0 degrees"),
    (DegradationReport(interlaced=True, halftone=True), "interlaced, a halftone screen"),
    (DegradationReport(kind="drawing"), "a drawing, nothing wrong found"),
    (DegradationReport(noise=None), "nothing certain found; noise could not be judged"),
    (DegradationReport(kind="drawing", jpeg=None, blur=None),
     "a drawing, nothing certain found; JPEG and blur could not be judged"),
    (DegradationReport(jpeg=Jpeg(quality=30), noise=None), "JPEG of quality 30"),
])  # fmt: skip
def test_a_line_in_words(report, words):
    assert report.summary == words
    assert report.clean == words.partition("nothing ")[2].startswith(("wrong", "certain"))


def test_the_axes_of_a_blur():
    assert Blur(xx=3, yy=1, xy=1).axes == pytest.approx(((2 + 2**0.5) ** 0.5, (2 - 2**0.5) ** 0.5, 22.5))
    assert Blur(xx=1, yy=4).axes == pytest.approx((2, 1, 90))
    assert Blur(xx=1, yy=1, xy=-1).axes == pytest.approx((2**0.5, 0, 135), abs=1e-7)


@pytest.mark.parametrize(("given", "why"), [
    ({"jpeg": {"quality": 101}}, "jpeg.quality: .*less than or equal to 100"),
    ({"blur": {"xx": 1, "yy": 1, "xy": 2}}, "blur: xy is 2; expected at most"),
    ({"noise": {"sigma": float("nan")}}, "noise.sigma"),
    ({"native_scale": 0}, "native_scale"),
    ({"haze": 1}, "haze"),
    ("{", "JSON"),
])  # fmt: skip
def test_a_report_that_contradicts_itself_is_refused(given, why):
    with pytest.raises(BadRequest, match=why) as caught:
        DegradationReport.parse(given)
    assert "\n" not in str(caught.value)

"""`subpixel eval` and the benchmarks' commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel.evaluation import folders
from subpixel.images import Image, read, write

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for k, name in enumerate(("b", "a")):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 44, 3), dtype=np.uint8)
        folder.mkdir(exist_ok=True)
        write(folder / f"{name}.png", Image.from_array(pixels))
    return folder


def test_eval(call: Call, model: str, photos: Path) -> None:
    status, out, err = call("eval", model, "--data", photos)
    assert (status, err) == (0, "")
    head, _, title, _, columns, _, first, second, mean = out.splitlines()[:9]
    assert head.startswith("Protocol: Y (BT.601), shave scale")
    assert head.endswith("Degradation: bicubic (MATLAB's imresize of 8-bit images).")
    assert title == "tiny-x2.onnx x2, photos:"
    assert columns == "| image | psnr | ssim |"
    values = [float(line.split(" | ")[1]) for line in (first, second, mean)]
    assert values[2] == pytest.approx((values[0] + values[1]) / 2, abs=0.001)


def test_formats_agree(call: Call, photos: Path) -> None:
    status, out, _ = call("eval", "bicubic", "-s", "2", "--data", photos, "--format", "json", "--protocol", "rgb")
    page = json.loads(out)
    assert status == 0
    assert page["protocol"].startswith("RGB")
    assert page["degradation"].startswith("bicubic")
    lines = list(csv.DictReader(io.StringIO(call(
        "eval", "bicubic", "-s", "2", "--data", photos, "--format", "csv", "--protocol", "rgb",
    )[1])))  # fmt: skip
    assert [float(line["value"]) for line in lines if line["image"]] == [row["value"] for row in page["rows"]]
    assert {line["protocol"] for line in lines} == {page["protocol"]}


def test_degradations(call: Call, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('kind = "Downsample"\nscale = 2\nkernel = "area"\n')
    for name, words in (("real-world", "real-world (each image"), (tmp_path / "mine.toml", "Downsample(scale=2, ")):
        status, out, _ = call("eval", "bicubic", "--data", photos, "--degradation", name)
        assert status == 0
        assert f"Degradation: {words}" in out


@pytest.fixture
def theirs(photos: Path, tmp_path: Path) -> Path:
    """Results of another program, under longer names: one level too bright everywhere, and two in the other."""
    for k, name in enumerate(("a", "b"), start=1):
        pixels = read(photos / f"{name}.png").to_array()
        (tmp_path / "theirs").mkdir(exist_ok=True)
        write(
            tmp_path / f"theirs/{name}_x2_SR.png",
            Image.from_array(np.minimum(pixels.astype(int) + k, 255).astype(np.uint8)),
        )
    return tmp_path / "theirs"


def test_results_of_another_program(call: Call, photos: Path, theirs: Path) -> None:
    places = ("--results", theirs, "--references", photos)
    status, out, err = call("eval", *places, "-s", 2, "--protocol", "rgb", "--metric", "psnr", "--format", "csv")
    assert (status, err) == (0, "")
    lines = list(csv.DictReader(io.StringIO(out)))
    assert [line["image"] for line in lines] == ["a.png", "b.png", ""]
    for line, name in zip(lines, ("a", "b"), strict=False):
        pixels = [read(folder / file).to_array()[2:-2, 2:-2].astype(float) for folder, file in (
            (photos, f"{name}.png"), (theirs, f"{name}_x2_SR.png"))]  # fmt: skip
        expected = 10 * np.log10(255**2 / np.mean((pixels[0] - pixels[1]) ** 2))
        assert float(line["value"]) == pytest.approx(expected, abs=1e-4)
        assert (line["model"], line["dataset"], line["metric"]) == ("theirs", "photos", "psnr")
    assert {line["protocol"] for line in lines} == {"RGB, shave scale, rounded to 8 bit: reference, modcrop"}
    status, out, _ = call("eval", *places, "--shave", 5, "--round", "both", "--metric", "ssim")
    assert "shave 5 px, rounded to 8 bit: both" in out
    assert "| image | ssim |" in out


def test_results_and_references_that_do_not_belong_together(call: Call, photos: Path, theirs: Path) -> None:
    places = ["eval", "--results", theirs, "--references", photos]
    ways = [
        (places, "--results needs -s, the factor of the enlargement, or --shave"),
        (places[:3], "--results and --references go together"),
        ([*places, "-s", "2", "--data", photos], "go together, without a model, --data"),
        ([*places, "-s", "2", "--metric", "ms_ssim"], "this metric needs"),
        ([*places, "-s", "2", "--metric", "psrn"], "did you mean 'psnr'"),
        ([*places, "-s", "2", "--round", "up"], "round8 is 'up'; expected one of none, images, reference, both"),
        (["eval"], "name a model and --data, or --results and --references"),
    ]
    for arguments, words in ways:
        status, out, err = call(*arguments)
        assert (status, out, len(err.splitlines())) == (2, "", 1), arguments
        assert words in err
    (theirs / "b_x2_SR.png").rename(theirs / "bb.png")
    assert f"{theirs}/bb.png: there is no reference of that name" in call(*places, "-s", 2)[2]
    (theirs / "bb.png").unlink()
    assert f"{photos}/b.png: there is no result of that name (1 such)" in call(*places, "-s", 2)[2]
    write(theirs / "a.png", read(photos / "a.png"))
    assert "are both named after" in call(*places, "-s", 2)[2]


def test_pairs_are_measured_as_they_are(call: Call, photos: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        pixels = read(photos / f"{name}.png").to_array()
        for place, levels in (("HR", pixels), ("LR", pixels[::2, ::2])):
            (tmp_path / f"pairs/{place}").mkdir(parents=True, exist_ok=True)
            write(tmp_path / f"pairs/{place}/{name}.png", Image.from_array(np.ascontiguousarray(levels)))
    status, out, _ = call("eval", "nearest", "-s", 2, "--data", tmp_path / "pairs", "--protocol", "rgb")
    assert status == 0
    assert "Degradation: low resolution from files." in out
    high = read(photos / "a.png").to_array().astype(float)
    nearest = high[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)
    expected = 10 * np.log10(255**2 / np.mean((high - nearest)[2:-2, 2:-2] ** 2))
    row = next(line for line in out.splitlines() if line.startswith("| HR/a.png"))
    assert float(row.split(" | ")[1]) == pytest.approx(expected, abs=1e-3)
    made = call("eval", "nearest", "-s", 2, "--data", tmp_path / "pairs", "--degradation", "classical")[1]
    assert "Degradation: bicubic" in made
    assert made.count("| HR/") == 2
    status, out, error = call("eval", "nearest", "-s", 3, "--data", tmp_path / "pairs")
    assert (status, out) == (2, "")
    place = tmp_path / "pairs"
    assert error == f"subpixel: {place}/LR/a.png: 22x20 pixels; expected 14x13, 1/3 of {place}/HR/a.png\n"


@pytest.mark.parametrize("low", [(13, 14), (14, 15), (14, 14)])
def test_the_low_resolution_of_a_pair_may_be_rounded_either_way(low: tuple[int, int], tmp_path: Path) -> None:
    for place, size in (("HR", (40, 44)), ("LR", low)):
        (tmp_path / place).mkdir()
        write(tmp_path / place / "a.png", Image(np.full((*size, 3), 0.5, np.float32)))
    (pair,) = folders.pairs(tmp_path, 3)
    assert (pair.low.pixels.shape, pair.high.pixels.shape) == ((13, 14, 3), (39, 42, 3))


def test_misuse_is_one_line(call: Call, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ways = [
        (["swft-x2", "--data", photos], "did you mean 'swift-x2'"),
        (["bicubic", "--data", tmp_path / "empty"], "no images in"),
        (["bicubic", "--data", photos, "--degradation", "realworld"], "did you mean 'real-world'"),
        (["bicubic", "--data", photos, "--degradation", "no.toml"], "cannot read no.toml"),
        (["bicubic", "--data", photos, "--protocol", "yuv"], "unknown protocol 'yuv'"),
        (["bicubic", "--data", photos, "--format", "html"], "unknown format 'html'"),
        (["bicubic", "--data", photos, "--set", "Set6"], "did you mean 'Set5'"),
        (["bicubic", "--data", photos, "--set", "Set5"], "no folder Set5"),
        (["bicubic", "--data", photos, "--lpips", tmp_path / "no.safetensors"], "cannot use the model file"),
    ]
    for arguments, words in ways:
        status, out, err = call("eval", *arguments)
        assert (status, out) == (2, ""), arguments
        assert words in err
        assert len(err.splitlines()) == 1


def test_named_sets_have_the_published_values_beside(call: Call, shared: Path) -> None:
    status, out, _ = call("eval", "bicubic", "-s", "4", "--data", shared / "data/bench", "--set", "set5")
    assert status == 0
    assert "bicubic x4, Set5:" in out
    published = next(line for line in out.splitlines() if line.startswith("| published (RCAN)"))
    assert published.startswith("| published (RCAN) | 28.42 (+0.00")


def test_lpips(call: Call, shared: Path, photos: Path) -> None:
    weights = shared / "reference/weights/lpips_squeeze.safetensors"
    status, out, _ = call("eval", "bicubic", "--data", photos, "--lpips", weights)
    assert status == 0
    assert "; lpips: RGB. Degradation" in out
    assert "| image | psnr | ssim | lpips |" in out


def test_tradeoff(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from subpixel.benchmarks import tradeoff

    monkeypatch.setattr(tradeoff, "RESULT", (48, 60))
    crops = Path(__file__).parents[1] / "data"
    status, out, err = call(
        "bench", "tradeoff", "--data-root", crops, "--set", "crops", "-m", "espcn-x3", "-m", "bicubic",
        "-o", tmp_path / "t.png", "--runs", 1,
    )  # fmt: skip
    assert (status, err) == (0, f"{tmp_path / 't.png'}\n")
    assert "mean over Crops" in out
    assert (tmp_path / "t.png").is_file()

"""`subpixel eval` and the benchmarks' commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel.images import Image, write

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
    assert title == "tiny-x2 x2, photos:"
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

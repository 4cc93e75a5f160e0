"""The benchmark of degraded photos: its conditions, its columns, and a peer against an independent computation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from subpixel import resample
from subpixel.benchmarks import real
from subpixel.benchmarks.peer import realesr_general
from subpixel.errors import BadRequest, BadWeights, UnknownName
from subpixel.images import Image, write
from subpixel.inference.choice import Restoration
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import Execution


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", Image(resample.resize(rng.random((12, 16, 3), np.float32), 96, 128).clip(0, 1)))
    return tmp_path


def test_the_columns_are_what_they_are_called(photos):
    def bluish(low: Image) -> Image:
        large = np.clip(resample.resize(low.pixels, low.height * 2, low.width * 2), 0, 1)
        return Image(np.clip(large * [1, 1, 0] + [0, 0, 1], 0, 1).astype(np.float32))

    candidates = [real.Candidate("bicubic", Upscaler("bicubic", scale=2)), real.Candidate("bluish", bluish)]
    clean, blue, compressed, _ = real.bench_real(candidates, photos, 2, ["clean", "JPEG 30"])
    assert (clean.condition, clean.candidate, compressed.condition) == ("clean", "bicubic", "JPEG 30")
    assert compressed.values["Y-PSNR"] < clean.values["Y-PSNR"] - 3
    assert clean.values["colour shift"] < 0.5
    pixels = [Image.from_array(np.asarray(image)) for image in map(_levels, sorted(photos.glob("*.png")))]
    assert blue.values["colour shift"] == pytest.approx(
        np.mean([255 * (1 - image.pixels[2:-2, 2:-2, 2].mean(dtype=float)) for image in pixels]), abs=0.01
    )
    text = real.markdown([clean, blue])
    assert "| clean x2 | bicubic | " in text
    assert f"{clean.values['Y-PSNR']:.2f}" in text


def test_images_that_niqe_cannot_judge_cost_no_other_value(photos):
    def judge(luma: np.ndarray) -> float:
        if luma.mean() < 0.2:
            raise BadRequest("too flat")
        return 5.0

    write(photos / "black.png", Image(np.zeros((96, 128, 3), np.float32)))
    bicubic = real.Candidate("bicubic", Upscaler("bicubic", scale=2))
    (line,) = real.bench_real([bicubic], photos, 2, ["clean"], niqe=judge)
    assert (line.values["NIQE"], line.unmeasured) == (5.0, 1)
    assert real.markdown([line]).endswith("\nclean x2, bicubic: no NIQE of 1 images, too small or flat\n")
    (photos / "a.png").unlink()
    (photos / "b.png").unlink()
    (line,) = real.bench_real([bicubic], photos, 2, ["clean"], niqe=judge)
    assert math.isnan(line.values["NIQE"])
    assert line.values["colour shift"] == 0


def test_for_the_eye_is_the_default_with_all_detail():
    low = Image(np.random.default_rng(0).random((48, 48, 3), np.float32))
    plain, sharp, named = (c.upscale(low).pixels for c in real.candidates(("auto", real.EYE, "espcn"), 2, {}))
    assert np.abs(sharp - plain).mean() > 0.005
    expected = Upscaler(scale=2, restoration=Restoration(detail=1.0), execution=Execution(precision="f32"))(low).pixels
    np.testing.assert_array_equal(sharp, expected)
    np.testing.assert_array_equal(named, Upscaler("espcn", scale=2, execution=Execution(precision="f32"))(low).pixels)


def _levels(path):
    from PIL import Image as Pillow

    return Pillow.open(path)


def test_conditions(photos):
    assert set(real.DEFAULT_CONDITIONS) <= set(real.conditions(2))
    assert set(real.DEFAULT_CONDITIONS) <= set(real.conditions(1))
    eight = real.conditions(4)["gaussian8"]
    assert [round(d.steps[0].sigma, 2) for d in eight] == [1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 3.2]
    image = np.random.default_rng(0).random((16, 16, 3), np.float32)
    for name, degradations in real.conditions(1).items():
        assert degradations[0].apply(image, np.random.default_rng(0)).shape == image.shape, name
    with pytest.raises(UnknownName, match="did you mean 'JPEG 30'"):
        real.bench_real([], photos, 2, ["JPEG 31"])


def test_the_peer_is_the_published_network(shared):
    """Against the network written out: convolutions with PReLU over a nearest-neighbour enlargement."""
    files = [shared / f"reference/weights/realesr_general_{half}x4v3.safetensors" for half in ("", "wdn_")]
    general, weaker = map(load_file, files)
    weights = {name: (0.3 * general[name] + 0.7 * weaker[name]).float() for name in general}
    x = torch.rand(1, 3, 24, 20, generator=torch.Generator().manual_seed(0))
    y = x
    for k in range(0, 66, 2):
        y = F.conv2d(y, weights[f"body.{k}.weight"], weights[f"body.{k}.bias"], padding=1)
        y = F.prelu(y, weights[f"body.{k + 1}.weight"])
    y = F.conv2d(y, weights["body.66.weight"], weights["body.66.bias"], padding=1)
    expected = F.pixel_shuffle(y, 4) + F.interpolate(x, scale_factor=4, mode="nearest")
    model = realesr_general(*files, 0.3)
    result = Upscaler(model, execution=Execution(precision="f32"))(Image(x[0].permute(1, 2, 0).numpy().copy()))
    np.testing.assert_allclose(result.pixels, expected[0].permute(1, 2, 0).clamp(0, 1).numpy(), atol=2e-4)


def test_another_file_is_no_peer(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(BadWeights, match="expected realesr-general-x4v3"):
        realesr_general(tmp_path / "x.safetensors", tmp_path / "x.safetensors", 1.0)

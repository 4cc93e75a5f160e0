"""Each model of the package scores what its card says, on the crops in tests/data, computed in f32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage.metrics import peak_signal_noise_ratio

from subpixel import models
from subpixel.benchmarks.candidates import candidate
from subpixel.benchmarks.domains import TEXT, bench_photographs, candidates, render_text
from subpixel.benchmarks.quality import Candidate, bench_quality, bicubic
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.protocol import STANDARD
from subpixel.metrics.psnr import psnr
from subpixel.runtimes import computes_in_bf16

DATA = Path(__file__).parents[1] / "data"


def measured(one: Candidate) -> float:
    report = bench_quality([one], DATA, ["Crops"], metrics={"psnr": psnr})
    return report.mean(one.name, "Crops", one.scale, "psnr")


@pytest.mark.parametrize("name", models.enlarging())
def test_each_model_scores_what_its_card_says(name: str) -> None:
    card = models.load(name).card
    promised = card.score("Crops")
    assert promised is not None, f"{name} was not measured; run: python -m zoo.models_page --data-root FOLDER"
    ours = measured(candidate(name))
    assert ours == pytest.approx(promised, abs=0.01)
    assert next(s.protocol for s in card.scores if s.dataset == "Crops") == str(STANDARD)
    if card.arch != "srgan":  # which is trained for the eye, at the expense of PSNR
        assert ours > measured(bicubic(card.scale)) + 0.15


@pytest.mark.skipif(not computes_in_bf16(), reason="this processor computes in f32 by itself, as the test above does")
@pytest.mark.parametrize("name", models.enlarging())
def test_the_machines_own_precision_costs_little(name: str) -> None:
    card = models.load(name).card
    promised = card.score("Crops")  # in f32, which the test above repeats
    assert promised is not None
    assert measured(Candidate(name, card.scale, Upscaler(name))) > promised - 0.06


def test_the_model_of_text_knows_letters_of_a_typeface_that_it_never_saw() -> None:
    of = candidates(["swift-x2", "swift-text-x2"])
    psnrs = {line.candidate: line.values["PSNR"] for line in bench_photographs("text", [render_text(TEXT)], 2, of)}
    assert psnrs["swift-text-x2"] > psnrs["swift-x2"] + 4


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_agrees_with_pillow_and_scikit_image(scale: int) -> None:
    """Pillow's bicubic is the same kernel on 8-bit values; what differs is rounding and the border, which is shaved."""
    values: list[float] = []
    for path in sorted((DATA / "crops").iterdir()):
        rgb = np.asarray(Pillow.open(path)).astype(float)
        luma = np.round(rgb @ (65.481, 128.553, 24.966) / 255 + 16).astype(np.uint8)
        high = luma[: luma.shape[0] // scale * scale, : luma.shape[1] // scale * scale]
        tall, wide = high.shape
        low = Pillow.fromarray(high).resize((wide // scale, tall // scale), Pillow.Resampling.BICUBIC)
        back = np.asarray(low.resize((wide, tall), Pillow.Resampling.BICUBIC))
        inside = slice(scale, -scale)
        values.append(peak_signal_noise_ratio(high[inside, inside], back[inside, inside]))
    assert measured(bicubic(scale)) == pytest.approx(np.mean(values), abs=0.02)


def test_the_crops_are_small_and_credited() -> None:
    files = sorted((DATA / "crops").iterdir())
    assert sum(path.stat().st_size for path in files) < 400_000
    page = (DATA / "CREDITS.md").read_text("utf-8")
    assert all(f"| {path.name} |" in page for path in files)

"""A blur read from edges, on photos that it was not trained on; and what is no blur is not taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel.analysis import Noise, inspect
from subpixel.analysis.edges import local_spectra, read_edges
from subpixel.analysis.estimator import Estimate
from subpixel.degradations import Chain, Degradation, GaussianBlur, GaussianNoise, Jpeg, classical, real_world
from subpixel.images import Floats, Image, dequantise, quantise, read
from subpixel.resample import resize

PHOTOS = ("astronaut.jpg", "chelsea.jpg", "coffee.jpg", "seeding.jpg")


def low(examples: Path, name: str, *steps: Degradation) -> Image:
    pixels = read(examples / name).pixels
    made = Chain((*steps[:1], classical(2), *steps[1:])) if steps else classical(2)
    return Image.from_array(made.apply(pixels.astype(np.float32), np.random.default_rng(0)))


def levels(image: Image) -> Floats:
    return np.round(255 * image.pixels)[None].astype(np.float32)


def blur_of(image: Image) -> dict[str, Estimate] | None:
    edges = read_edges(levels(image))
    assert edges is not None
    return edges.blur


def test_spectra_of_white_noise_are_its_variance() -> None:
    noise = np.random.default_rng(0).normal(128, 10, (40, 64, 64)).astype(np.float32)
    spectra = local_spectra(noise)
    assert spectra.shape == (40, 15, 15, 39)
    power = np.exp(2.5 * spectra + 3) - 1 / 12
    assert power.mean(axis=(0, 1, 2)) == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize("name", PHOTOS)
def test_the_deviation_of_a_blur(examples: Path, name: str) -> None:
    found: list[float] = []
    for sigma in (0.5, 0.65, 0.8):
        said = blur_of(low(examples, name, GaussianBlur(2 * sigma)))
        assert said is not None
        found.append(np.sqrt((said["blur_xx"].value + said["blur_yy"].value) / 2))
    assert np.diff(found) == pytest.approx([0.15, 0.15], abs=0.06)
    assert found == pytest.approx([0.5, 0.65, 0.8], abs=0.15)


@pytest.mark.parametrize("name", PHOTOS)
def test_what_was_enlarged_is_no_blur(examples: Path, name: str) -> None:
    pixels = np.round(255 * low(examples, name).pixels) / 255
    height, width = pixels.shape[:2]
    smaller = np.round(255 * resize(pixels, height // 2, width // 2)) / 255
    assert blur_of(Image.from_array(resize(smaller, height, width).clip(0, 1).astype(np.float32))) is None


def test_one_axis_is_blurred_more(examples: Path) -> None:
    said = blur_of(low(examples, "astronaut.jpg", GaussianBlur(1.6, 0.8, 30)))
    assert said is not None
    long, short = 0.8**2, 0.4**2
    expected = 0.75 * long + 0.25 * short, 0.25 * long + 0.75 * short, (long - short) * 0.75**0.5 / 2
    assert [value.value for value in said.values()] == pytest.approx(expected, abs=0.1)


def test_edges_are_asked_where_nothing_else_was_done(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report tells a little less than they say; noise and JPEG leave it to the spectra."""
    blurred = low(examples, "coffee.jpg", GaussianBlur(1.3))
    said, report = blur_of(blurred), inspect(blurred)
    assert said is not None
    assert report.blur is not None
    assert said["blur_xx"].value - 0.1 < report.blur.xx < said["blur_xx"].value
    asked: list[bool] = []
    monkeypatch.setattr("subpixel.analysis.inspection.read_edges", lambda _: asked.append(True))
    for step in (GaussianNoise(6 / 255), Jpeg(70)):
        inspect(low(examples, "coffee.jpg", GaussianBlur(1.3), step))
    assert not asked
    inspect(blurred)
    assert asked


def test_too_small_to_say(examples: Path) -> None:
    assert read_edges(levels(low(examples, "coffee.jpg"))[:, :47]) is None


@pytest.mark.parametrize("name", PHOTOS)
def test_a_blur_that_came_with_more_is_not_told_alone(
    examples: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told alone it is undone too hard: what came after it is blown up. A blur that is all is told, though wide."""
    chain = real_world(2).apply(read(examples / name).pixels.astype(np.float32), np.random.default_rng(0))
    many = Image.from_array(dequantise(quantise(chain, 8)))
    assert inspect(many).unrecognised
    for sigma in (1.5, 2.0):
        wide = inspect(low(examples, name, GaussianBlur(2 * sigma)))
        assert wide.blur is not None
        assert wide.blur.xx > 1
        assert not wide.unrecognised
    monkeypatch.setattr("subpixel.analysis.inspection._noise", lambda *_, **__: Noise())
    assert inspect(many).unrecognised
    monkeypatch.setattr("subpixel.analysis.inspection.OTHERS", -np.inf)
    assert inspect(many).summary == "a little blurred"

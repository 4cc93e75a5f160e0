"""Back-projection, against dense matrices and what an image becomes when the result is reduced again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from subpixel import Image, Upscaler, read
from subpixel.errors import BadRequest
from subpixel.inference.consistency import LimitedRows, Reduction, consistent, parse
from subpixel.inference.rows import ArrayRows, Rows
from subpixel.jobs.request import Request
from subpixel.metrics.psnr import psnr
from subpixel.ports import Shape
from subpixel.resample import Taps, resize

RNG = np.random.default_rng(0)


def dense(taps: Taps, length: int) -> np.ndarray:
    matrix = np.zeros((len(taps.indices), length))
    np.add.at(matrix, (np.arange(len(matrix))[:, None], taps.indices), taps.weights)
    return matrix


def rows_of(values: np.ndarray) -> Rows:
    return ArrayRows(values, Shape(*values.shape[:2], values.shape[2]))


def pulled(rows: Rows, step: int) -> np.ndarray:
    height = rows.shape.height
    return np.concatenate([rows.rows(y, min(y + step, height)) for y in range(0, height, step)])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_the_box_is_the_mean_of_blocks_and_one_step_is_exact(factor: int) -> None:
    low, high = RNG.normal(size=(12, 9, 2)), RNG.normal(size=(12 * factor, 9 * factor, 2))
    result = consistent(rows_of(high), rows_of(low), Reduction("box")).rows(0, 12 * factor)
    blocks = result.reshape(12, factor, 9, factor, 2).mean((1, 3))
    np.testing.assert_allclose(blocks, low, atol=1e-12)
    within = result - np.kron(blocks.transpose(2, 0, 1), np.ones((factor, factor))).transpose(1, 2, 0)
    own = high.reshape(12, factor, 9, factor, 2)
    expected = (own - own.mean((1, 3), keepdims=True)).reshape(high.shape)
    np.testing.assert_allclose(within, expected, atol=1e-12)  # only the means of the blocks moved


@pytest.mark.parametrize(("length", "target"), [(12, 5), (7, 7), (5, 4), (30, 10)])
def test_the_box_of_any_factor_is_the_area(length: int, target: int) -> None:
    fine = np.kron(np.arange(length, dtype=float) ** 2, np.ones(target))  # pixels cut into `target` parts
    expected = fine.reshape(target, length).mean(1)
    got = dense(Reduction("box").down(length, target), length) @ np.arange(length, dtype=float) ** 2
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("kernel", [Reduction("box"), Reduction("bicubic"), Reduction("gaussian", 0.6)], ids=str)
@pytest.mark.parametrize("sides", [(46, 62), (40, 55)], ids=str)
def test_in_bands_as_the_whole(kernel: Reduction, sides: tuple[int, int]) -> None:
    low, high = RNG.random((23, 31, 1)), RNG.random((*sides, 1))
    whole = consistent(rows_of(high), rows_of(low), kernel).rows(0, sides[0])
    for step in (1, 7):
        again = pulled(consistent(rows_of(high), rows_of(low), kernel), step)
        np.testing.assert_allclose(again, whole, atol=1e-12)


def test_a_step_is_the_formula() -> None:
    low, high, kernel = RNG.random((10, 8, 1)), RNG.random((20, 16, 1)), Reduction("gaussian", 0.5)
    down = [dense(kernel.down(2 * n, n), 2 * n) for n in (10, 8)]
    up = [dense(kernel.up(n, 2 * n), n) for n in (10, 8)]
    x = high[..., 0]
    for _ in range(5):
        x = x + up[0] @ (low[..., 0] - down[0] @ x @ down[1].T) @ up[1].T
    np.testing.assert_allclose(consistent(rows_of(high), rows_of(low), kernel).rows(0, 20)[..., 0], x, atol=1e-12)
    assert np.abs(down[0] @ x @ down[1].T - low[..., 0]).max() < 0.2 * np.abs(low[..., 0]).max()


def test_the_figures_of_a_photo(examples: Path) -> None:
    """Bicubic: no 8-bit sample differs after reduction; box, on an image that areas were averaged for: PSNR rises."""
    photo = read(examples / "chelsea.jpg").to_array(8)[:256, :256]
    reduced = resize(photo, 128, 128)
    floats = reduced / np.float32(255)
    plain, bound = (Upscaler("swift-x2", consistent=kind)(floats) for kind in ("none", "bicubic"))
    differ = [np.mean(np.abs(resize(x, 128, 128) - floats) > 0.5 / 255) for x in (plain, bound)]
    assert differ[0] > 0.01
    assert differ[1] < 1e-4
    assert psnr(bound, photo / 255) > psnr(plain, photo / 255) - 0.01
    areas = photo.reshape(128, 2, 128, 2, 3).mean((1, 3))
    low = np.floor(areas + 0.5).astype(np.uint8)
    plain, bound = (Upscaler("swift-x2", consistent=kind)(low) for kind in ("none", "box"))
    assert psnr(bound / 255, photo / 255) > psnr(plain / 255, photo / 255) + 0.2


def test_tiles_and_alpha_and_kernels() -> None:
    image = Image.from_array(RNG.random((40, 36, 4), dtype=np.float32))
    results = [Upscaler("espcn-x2", consistent="bicubic", tile=tile)(image) for tile in (0, 16)]
    np.testing.assert_allclose(results[0].samples, results[1].samples, atol=1e-5)
    flat = np.full((8, 8), 0.5, np.float32)
    np.testing.assert_allclose(Upscaler("bicubic", scale=2, consistent="box")(flat), np.full((16, 16), 0.5), atol=1e-6)


def test_what_the_last_clip_costs_is_told() -> None:
    values = np.array([[[1.5], [0.5]], [[-0.25], [0.0]]], np.float32)
    rows = LimitedRows(rows_of(values))
    assert pulled(rows, 1).tolist() == [[[1.0], [0.5]], [[0.0], [0.0]]]
    assert rows.note.endswith("50.00% of the samples clipped, by at most 127.5 of 255")
    assert LimitedRows(rows_of(values)).note == ""


@pytest.mark.parametrize("text", ["boxes", "sigma=", "sigma=9", "sigma=0.01", "sigma=-1", ""])
def test_what_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="expected"):
        Upscaler("bicubic", consistent=text)
    with pytest.raises(BadRequest, match="expected"):
        Request.parse({"consistent": text})


def test_it_is_part_of_the_request() -> None:
    assert parse("sigma=0.7") == Reduction("gaussian", 0.7)
    assert Request(consistent="box").identity != Request().identity
    assert Request.parse({"consistent": "box", "model": "bicubic"}).upscaler().consistent == "box"
    with pytest.raises(BadRequest, match="smaller than its image"):
        Upscaler("bicubic", scale=0.5, consistent="box")(np.zeros((8, 8), np.float32))

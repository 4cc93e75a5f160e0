"""Networks over rows: tiles against the whole image, and what happens when the memory ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from subpixel import archs
from subpixel.errors import OutOfMemory
from subpixel.images import Floats, Image
from subpixel.inference.rows import ArrayRows
from subpixel.inference.tiled import TiledNetwork, self_ensemble
from subpixel.nn.arch import Arch
from subpixel.ports import Geometry, Ports

torch.set_num_threads(1)  # small images; more threads only wait for each other


def image(height: int, width: int, channels: int = 3) -> Floats:
    return np.random.default_rng(0).random((height, width, channels), dtype=np.float32)


def memory(pixels: Floats) -> ArrayRows:
    return ArrayRows.of(Image(pixels))


def as_run(network: Arch) -> Callable[[Floats], Floats]:
    def run(batch: Floats) -> Floats:
        with torch.inference_mode():
            return network(torch.from_numpy(batch)).numpy()

    return run


def tiled(
    pixels: Floats,
    run: Callable[[Floats], Floats],
    scale: int,
    halo: int,
    tile: tuple[int, int],
    stride: int = 1,
    fixed_size: int = 0,
) -> TiledNetwork:
    """A network given as a function of a batch."""
    geometry = Geometry(scale, halo, stride, fixed_size)
    return TiledNetwork(
        memory(pixels), lambda feeds: {"high": run(feeds["low"])}, Ports.enlarging(scale), geometry, tile
    )


def ensemble(run: Callable[[Floats], Floats]) -> Callable[[Floats], Floats]:
    average = self_ensemble(lambda feeds: {"high": run(feeds["low"])})
    return lambda batch: average({"low": batch})["high"]


def nearest(batch: Floats) -> Floats:
    return batch.repeat(2, axis=2).repeat(2, axis=3)


def all_rows(network: TiledNetwork) -> Floats:
    return network.rows(0, network.shape.height)


# What carries a map from frame to frame is tried in tests/video/test_recurrence.py.
OF_PHOTOS = [name for name in archs.NAMES if name != "recurrent"]


@pytest.fixture(params=[(name, scale) for name in OF_PHOTOS for scale in archs.find(name).SCALES], ids=str)
def network(request: pytest.FixtureRequest) -> Arch:
    name, scale = request.param
    torch.manual_seed(0)
    cls = archs.find(name)
    network = cls(replace(cls.EXAMPLE, scale=scale)).eval()
    with torch.no_grad():
        for weight in network.parameters():  # zeros, of a fresh tail or of colours that pass, would hide a seam
            if weight.dim() > 1 and not weight.all():
                torch.nn.init.kaiming_uniform_(weight, a=5**0.5)
            weight.add_(0.05 * torch.randn_like(weight))
    return network


@pytest.mark.parametrize("size", [(1, 2), (1, 37), (37, 1), (2, 3), (33, 47)], ids=str)  # one pixel is flat
def test_tiles_equal_the_whole_image_for_each_architecture(network: Arch, size: tuple[int, int]) -> None:
    pixels, scale = image(*size), network.config.scale
    with torch.inference_mode():
        batch = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
        whole = network(batch)[0].clamp(0, 1).permute(1, 2, 0).numpy()
    for tile in ((10, 13), (1, 64), size):
        cut = tiled(pixels, as_run(network), scale, network.halo, tile)
        np.testing.assert_allclose(all_rows(cut), whole, rtol=0, atol=2e-6)


@pytest.mark.parametrize("side", [0, 24])
def test_tiles_of_a_network_that_counts_windows_equal_the_whole_image(side: int) -> None:
    largest: list[int] = []

    def run(batch: Floats) -> Floats:  # the mean of each window of 4 x 4
        n, c, h, w = batch.shape
        assert max(h, w) <= largest[-1]
        full = np.pad(batch, ((0, 0), (0, 0), (0, -h % 4), (0, -w % 4)), mode="reflect")
        means = full.reshape(n, c, -(-h // 4), 4, -(-w // 4), 4).mean((3, 5))
        return means.repeat(4, axis=2).repeat(4, axis=3)[:, :, :h, :w]

    pixels = image(33, 47)
    largest.append(max(pixels.shape))
    expected = np.moveaxis(run(pixels.transpose(2, 0, 1)[None])[0], 0, -1)
    largest.append(side or 47)
    cut = all_rows(tiled(pixels, run, 1, 4, (16, 16), stride=4, fixed_size=side))
    np.testing.assert_allclose(cut, expected, rtol=0, atol=1e-6)
    largest.append(47)
    shifted = all_rows(tiled(pixels, run, 1, 4, (15, 15)))
    assert np.abs(shifted - expected).max() > 0.1


def test_a_halo_that_is_too_small_shows(network: Arch) -> None:
    pixels, scale = image(48, 48), network.config.scale
    whole, short = (
        tiled(pixels, as_run(network), scale, halo, (size, size)) for halo, size in ((network.halo, 48), (0, 16))
    )
    assert np.abs(all_rows(whole) - all_rows(short)).max() > 1e-4


def test_the_result_is_clipped() -> None:
    enlarged = tiled(image(5, 6), lambda batch: 4 * nearest(batch) - 2, 2, 0, (3, 3))
    assert all_rows(enlarged).min() == 0
    assert all_rows(enlarged).max() == 1


def test_gray_is_the_mean_of_three_equal_channels() -> None:
    gray = image(7, 9, 1)

    def tinted(batch: Floats) -> Floats:
        assert np.array_equal(batch, batch[:, :1].repeat(3, axis=1))
        return nearest(batch) * 0.5 + np.array([0.0, 0.1, 0.2], np.float32)[None, :, None, None]

    enlarged = all_rows(tiled(gray, tinted, 2, 0, (4, 4)))
    np.testing.assert_allclose(enlarged, gray.repeat(2, 0).repeat(2, 1) * 0.5 + 0.1, atol=1e-6)


def test_calls_may_overlap_and_compute_each_pixel_once() -> None:
    computed = 0

    def counting(batch: Floats) -> Floats:
        nonlocal computed
        computed += batch.shape[2] * batch.shape[3]
        return nearest(batch)

    pixels = image(40, 30)
    enlarged = tiled(pixels, counting, 2, 0, (7, 11))
    expected = pixels.repeat(2, 0).repeat(2, 1)
    for y in range(0, 70, 5):  # each call reaches 5 rows into the next one
        np.testing.assert_array_equal(enlarged.rows(y, y + 10), expected[y : y + 10])
    np.testing.assert_array_equal(enlarged.rows(70, 80), expected[70:])
    assert computed == 40 * 30


def test_self_ensemble_is_equivariant() -> None:
    weights = torch.randn(12, 3, 3, 3, generator=torch.Generator().manual_seed(0))

    def lopsided(batch: Floats) -> Floats:
        features = torch.conv2d(torch.from_numpy(batch), weights, padding=1)
        return torch.pixel_shuffle(features, 2).numpy()

    batch = image(7, 10).transpose(2, 0, 1)[None].copy()
    run = ensemble(lopsided)
    expected = run(batch)
    assert np.abs(lopsided(batch[..., ::-1].copy())[..., ::-1] - lopsided(batch)).max() > 0.1
    np.testing.assert_allclose(run(batch[..., ::-1].copy())[..., ::-1], expected, atol=1e-5)
    np.testing.assert_allclose(run(batch[..., ::-1, :].copy())[..., ::-1, :], expected, atol=1e-5)
    turned = run(np.rot90(batch, 1, (2, 3)).copy())
    np.testing.assert_allclose(np.rot90(turned, -1, (2, 3)), expected, atol=1e-5)


def test_self_ensemble_is_the_mean_of_eight() -> None:
    seen: list[Floats] = []

    def numbered(batch: Floats) -> Floats:
        seen.append(batch)
        return np.full((1, 3, 2 * batch.shape[2], 2 * batch.shape[3]), len(seen), np.float32)

    square = image(3, 3).transpose(2, 0, 1)[None].copy()
    np.testing.assert_array_equal(ensemble(numbered)(square), np.full((1, 3, 6, 6), 4.5))
    assert len({view.tobytes() for view in seen}) == 8
    np.testing.assert_allclose(ensemble(nearest)(square), nearest(square), atol=1e-7)


class Limited:
    """A runtime that fails, as an allocator does, above a number of pixels."""

    def __init__(self, pixels: int, error: Exception) -> None:
        self.pixels, self.error, self.failures = pixels, error, 0

    def __call__(self, batch: Floats) -> Floats:
        if batch.shape[2] * batch.shape[3] > self.pixels:
            self.failures += 1
            raise self.error
        return nearest(batch)


ERRORS = [
    MemoryError(),
    RuntimeError("std::bad_alloc"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: ..."),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    Exception("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer of size 3"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: f"{type(e).__name__} {str(e)[:12]}")
def test_out_of_memory_halves_the_tile_and_leaves_no_hole(error: Exception) -> None:
    pixels, run = image(150, 170), Limited(60 * 60, error)
    enlarged = tiled(pixels, run, 2, 3, (100, 100))
    np.testing.assert_array_equal(all_rows(enlarged), pixels.repeat(2, 0).repeat(2, 1))
    assert enlarged.tile == (50, 50)
    assert run.failures == 1  # the smaller tile stays


def test_out_of_memory_gives_up_at_the_smallest_tile() -> None:
    run = Limited(100, MemoryError())
    with pytest.raises(OutOfMemory, match="32x32 pixels does not fit"):
        all_rows(tiled(image(150, 170), run, 2, 3, (100, 100)))
    assert run.failures == 3  # 100, 50, 32


def test_other_errors_pass() -> None:
    def broken(batch: Floats) -> Floats:
        raise RuntimeError("the device is gone")

    with pytest.raises(RuntimeError, match="the device is gone"):
        all_rows(tiled(image(5, 5), broken, 2, 0, (5, 5)))

"""What is smooth in a deep image is bicubic's, by every network of the package; what is rough is the network's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel import models
from subpixel.images import Floats, Image, read
from subpixel.inference import tiled
from subpixel.inference.smooth import REACH, keep_smooth, roughness, spread
from subpixel.inference.tiles import spans
from subpixel.inference.upscaler import Upscaler
from subpixel.resample import resize
from subpixel.runtimes import Execution

EXACT = Execution("openvino", "f32", 1)
LEVEL = 1 / 255
UNIT = 0.0, 1.0
SIDE = 20


def ramps(x: Floats, y: Floats) -> Floats:
    """Across, down and diagonal, each in a channel: levels of 16 bits."""
    return np.stack(np.broadcast_arrays(20_000 + 107 * x, 45_000 - 107 * y, 20_000 + 107 * x + 83 * y), axis=-1)


def sky(x: Floats, y: Floats) -> Floats:
    return np.repeat((50_000 - 8 * (x - 10) ** 2 - 3 * (y + 5) ** 2)[..., None], 3, axis=-1)


def levels(image: Callable[[Floats, Floats], Floats]) -> np.ndarray:
    along = np.arange(SIDE, dtype=np.float32)
    return image(along[None], along[:, None]).round().astype(np.uint16)


def bend(pixels: np.ndarray) -> int:
    """The largest second difference between neighbouring pixels, in either direction."""
    return max(np.abs(np.diff(pixels.astype(int), 2, axis)).max() for axis in (0, 1))


@pytest.mark.parametrize("name", models.of_photos())
def test_a_16_bit_ramp_stays_smooth(name: str) -> None:
    """From pixel to pixel of the result: networks alone bend ramps by up to 376 levels of 65535, bicubic by 1."""
    scale = models.load(name).card.scale
    inner = slice(3 * scale, -3 * scale)  # beyond a border bicubic has other pixels than a plane would
    places = (np.arange(SIDE * scale, dtype=np.float32) + 0.5) / scale - 0.5
    with Upscaler(name, scale=scale, execution=EXACT) as upscaler, Upscaler("bicubic", scale=scale) as bicubic:
        for image, most in ((ramps, 1), (sky, 16)):
            large, cubic = upscaler(levels(image)), bicubic(levels(image))
            assert bend(large) <= 3 * bend(cubic)
            assert bend(large[inner, inner]) <= 3 * max(1, bend(cubic[inner, inner])) <= 3 * most
        plane = ramps(places[None], places[:, None])
        assert np.abs(upscaler(levels(ramps)) - plane)[inner, inner].max() <= 1.5


def test_it_is_the_same_in_tiles_and_between_bicubic_and_the_network() -> None:
    """Bit for bit, whatever the tiles; against every pixel by itself."""
    rng = np.random.default_rng(0)
    low = np.linspace(0.2, 0.7, 34 * 140 * 3, dtype=np.float32).reshape(34, 140, 3)  # nearly a plane
    low[12:14, 60:64] = rng.random((2, 4, 3))
    low[:, 110:] += (rng.random((34, 30, 3)) * np.linspace(0, 0.02, 30)[:, None]).astype(np.float32)
    for reach, halo in ((REACH, 12), (3, 4)):
        network = rng.random((68, 280, 3), dtype=np.float32)
        results = [painted(low, network, reach, halo, tile) for tile in (140, 33, 7)]
        for result in results[1:]:
            assert np.array_equal(result, results[0])
        share = np.clip(slowly_spread(roughness(low), reach), 0, 1)
        assert all(kind.any() for kind in (share == 0, share == 1, (share > 0) & (share < 1)))
        large = resize(share, 68, 280, "bilinear")[..., None]
        cubic = np.clip(resize(low, 68, 280), 0, 1)
        np.testing.assert_allclose(results[0], cubic + large * (network - cubic), rtol=0, atol=2e-6)


def painted(low: Floats, network: Floats, reach: int, halo: int, tile: int) -> Floats:
    """A network's result, what is smooth of it mended tile by tile."""
    (height, width), high = low.shape[:2], network.copy()
    for row in spans(0, height, tile, halo, height):
        for column in spans(0, width, tile, halo, width):
            own = high[row.start * 2 : row.stop * 2, column.start * 2 : column.stop * 2]
            keep_smooth(low[row.low : row.high, column.low : column.high], row, column, reach, UNIT, own)
    return high


def slowly_spread(rough: Floats, reach: int) -> Floats:
    y, x = np.indices(rough.shape)
    falls = [[rough - 2 / reach * (abs(y - b) + abs(x - a)) for a in range(x.shape[1])] for b in range(len(y))]
    return np.array([[fall.max() for fall in row] for row in falls], np.float32)


def test_roughness_is_the_largest_second_difference_between_half_a_level_and_one() -> None:
    for where in ((2, 2, 1), (0, 2, 0), (2, 0, 2)):
        for height, expected in ((0.2, 0), (0.3, 0.4), (0.375, 1), (0.45, 1.6), (0.6, 2)):
            pixels = np.full((5, 5, 3), 0.5, np.float32)
            pixels[where] += height * LEVEL  # twice that is the second difference at a peak
            assert roughness(pixels)[where[:2]] == pytest.approx(expected, abs=1e-3)
    saddle = np.float32(0.5 + 0.2 * LEVEL * np.outer(np.arange(-2, 3), np.arange(-2, 3)))[..., None]
    assert roughness(saddle)[2, 2] == 0
    assert roughness(np.float32(2) * saddle)[2, 2] == pytest.approx(1.2, abs=1e-3)  # 0.8 of a level on the diagonals
    assert not roughness(np.float32([[[0.1], [0.9]]])).any()
    assert not roughness(np.float32([[[0.7]]])).any()


@pytest.mark.parametrize(("size", "reach"), [((30, 40), 8), ((9, 5), 8), ((20, 3), 3), ((1, 1), 5)])
def test_what_is_rough_spreads(size: tuple[int, int], reach: int) -> None:
    rng = np.random.default_rng(reach)
    rough = np.where(rng.random(size) < 0.02, 2 * rng.random(size), 0).astype(np.float32)
    rough[-1, 0] = 2
    np.testing.assert_allclose(spread(rough, reach), slowly_spread(rough, reach), atol=1e-6)


def test_8_bits_are_left_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    monkeypatch.setattr(tiled, "keep_smooth", lambda patch, *_: seen.append(patch.shape))
    upscaler = Upscaler("espcn-x2", scale=3, execution=EXACT)
    ramp = levels(ramps)
    eight = (ramp >> 8).astype(np.uint8)
    for image in (eight, np.dstack([eight, eight[..., 0]]), Image.from_array(eight), Image.from_array(eight).to_pil()):
        upscaler(image)
    assert not seen
    for image in (ramp, np.dstack([ramp, ramp[..., 0]]), Image.from_array(ramp), ramp / np.float32(65535)):
        upscaler(image)
        assert len(seen) >= 2  # x2, then x2
        seen.clear()
    upscaler.prepare(Image.from_array(ramp).shape, limited=False)
    assert not seen


def test_photos_are_as_near_the_truth_as_before(examples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    high = read(examples / "chelsea.jpg").pixels[:240, :360]
    low = (np.clip(resize(high, 120, 180), 0, 1) * 65535).round().astype(np.uint16)

    def psnr(upscaler: Upscaler) -> float:
        return -10 * np.log10(np.mean((upscaler(low) / 65535 - high) ** 2))

    upscaler = Upscaler("swift-x2", execution=EXACT)
    mended = psnr(upscaler)
    monkeypatch.setattr(tiled, "keep_smooth", lambda *_: None)
    assert abs(mended - psnr(upscaler)) < 0.005

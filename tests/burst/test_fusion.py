"""Bursts made of photos: what is gained in decibels, what is left out, and what is said."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from subpixel import Image, read, write
from subpixel.benchmarks.burst import Setting, make_burst
from subpixel.burst import Fusion, Motion, fuse
from subpixel.burst.frames import Frame, box, noise_of
from subpixel.burst.stack import stack_frames
from subpixel.burst.tiles import Scene
from subpixel.errors import BadRequest
from subpixel.images import Floats, Metadata, dequantise
from subpixel.inference.rows import as_floats
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.protocol import STANDARD
from subpixel.metrics.psnr import psnr


@pytest.fixture(scope="module")
def truth(examples: Path) -> Floats:
    return np.ascontiguousarray(read(examples / "astronaut.jpg").pixels[148:276, 138:266])


def _psnr(result: Floats, truth: Floats, part: tuple[slice, slice] = (slice(8, -8), slice(8, -8))) -> float:
    return psnr(*STANDARD.prepare(result[part], truth[part], 2))


def _frames(truth: Floats, setting: Setting) -> list[np.ndarray]:
    return list(make_burst(truth, setting, 2, np.random.default_rng(5))[0])


def _fused(truth: Floats, setting: Setting, psf: float | None = None) -> tuple[Fusion, float, float]:
    """The fusion, and its gain in dB over bicubic and over the default of the first frame."""
    frames = _frames(truth, setting)
    fusion = fuse(frames, 2, psf=psf or setting.psf, reference=0)
    single = [Upscaler(model, scale=2)(Image.from_array(frames[0])).pixels for model in ("bicubic", "auto")]
    ours = _psnr(fusion.image.pixels, truth)
    return fusion, ours - _psnr(single[0], truth), ours - _psnr(single[1], truth)


def _scene(frames: list[np.ndarray], model: str = "auto") -> Scene:
    """The frames laid on the first one, and that enlarged as it is."""
    opened = [Frame.of(frame, k) for k, frame in enumerate(frames)]
    laid, base = stack_frames(opened, 0, None).frames, opened[0]
    noise = float(np.median([each.noise for each in laid[1:]]))
    prior = Upscaler(model, scale=2).prepare(base.shape, base.inspected()).rows(base)
    return Scene(laid, 2, 0.4, noise, as_floats(prior))


@pytest.mark.parametrize(
    ("setting", "over_bicubic", "over_auto"),
    [
        (Setting("4, noise 2", 4, noise=2), 4.0, 1.5),
        (Setting("12, noise 2", 12, noise=2), 6.0, 3.0),
        (Setting("12, noise 10", 12, noise=10), 3.5, 1.2),
        (Setting("8, turned", 8, noise=2, degrees=1), 4.5, 2.0),
        (Setting("8, rolling", 8, noise=2, wobble=0.5), 3.5, 1.2),
        (Setting("8, JPEG", 8, noise=2, quality=92), 2.5, 0.8),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else "",
)
def test_frames_that_alias_gain(truth: Floats, setting: Setting, over_bicubic: float, over_auto: float) -> None:
    fusion, bicubic, auto = _fused(truth, setting)
    assert fusion.report.kind == "detail"
    assert (fusion.report.used, dict(fusion.report.left_out)) == (setting.count, {})
    assert bicubic > over_bicubic
    assert auto > over_auto


def test_the_first_frame_is_known_without_its_noise(truth: Floats) -> None:
    """As what is fused says that it is: much nearer to the frame as it would be without noise than it was itself."""
    frames, noiseless = (_frames(truth, Setting("", 8, noise=noise)) for noise in (8, 0))
    told = list[str]()
    rows, goal = _scene(frames).cleaned(told.append), noiseless[0].astype(np.float32) / 255
    assert told == ["128 of 128 rows for the first time"]
    cleaned = rows.rows(0, rows.shape.height)
    assert cleaned.shape == goal.shape
    inner = slice(4, -4), slice(4, -4)
    before, after = (
        float(np.sqrt(((values - goal)[inner] ** 2).mean())) for values in (frames[0].astype(np.float32) / 255, cleaned)
    )
    assert after < 0.6 * before


def test_it_is_enlarged_again_without_its_noise(truth: Floats) -> None:
    """Which a network does better than with it; an interpolation has nothing from it."""
    frames = _frames(truth, Setting("", 8, noise=12))
    once, twice = {}, {}
    for model in ("auto", "bicubic"):
        once[model] = np.concatenate([rows for rows, _ in _scene(frames, model).bands(fused=True)])
        twice[model] = fuse(frames, 2, psf=0.4, reference=0, model=model).image.pixels
    assert _psnr(twice["auto"], truth) > _psnr(once["auto"], truth) + 0.15
    np.testing.assert_array_equal(twice["bicubic"], once["bicubic"])


def test_a_slightly_wrong_psf_still_gains(truth: Floats) -> None:
    assert _fused(truth, Setting("", 8, noise=2), psf=0.5)[1] > 1.5


def test_a_narrow_psf_is_read_from_edges(examples: Path) -> None:
    """Frames that are means of 2 x 2 pixels: with the 0.42 px that reduced photos have the fusion lost to one frame."""
    scene = read(examples / "astronaut.jpg").pixels[128:288, 118:278]
    corners = [(y, x) for y in range(2) for x in range(2)] + [(3, 2), (2, 5)]
    frames = [
        np.rint(255 * scene[y : y + 128, x : x + 128].reshape(64, 2, 64, 2, 3).mean((1, 3))).astype(np.uint8)
        for y, x in corners
    ]
    fusion, truth = fuse(frames, 2, reference=0), scene[:128, :128]
    alone = Upscaler("auto", scale=2)(Image.from_array(frames[0])).pixels
    assert fusion.report.psf == pytest.approx(0.36, abs=0.03)
    assert _psnr(fusion.image.pixels, truth) > _psnr(alone, truth) + 0.2


def test_the_report_knows_what_it_looked_at(truth: Floats) -> None:
    report = fuse(_frames(truth, Setting("", 4, psf=0.4, noise=6)), 2).report
    assert report.noise == pytest.approx(6, rel=0.2)
    assert report.psf == pytest.approx(0.42, abs=0.14)
    assert "they alias" in report.summary
    assert report.summary.startswith("4 of 4 frames on frame ")
    assert "\n" not in report.summary
    assert pickle.loads(pickle.dumps(report)) == report


def test_what_the_lens_blurred_away_is_said_to_be_gone(truth: Floats) -> None:
    report = fuse(_frames(truth, Setting("", 4, psf=1.2, noise=3)), 2).report
    assert report.kind == "noise"
    assert report.psf == pytest.approx(1.2, abs=0.25)
    assert "nothing between the pixels" in report.summary


def test_frames_that_did_not_move_hold_nothing_between_the_pixels(truth: Floats) -> None:
    still = Setting("", 1, noise=5)
    frames = [make_burst(truth, still, 2, np.random.default_rng(seed))[0][0] for seed in range(4)]
    report = fuse(frames, 2, psf=0.4, reference=0).report
    assert report.kind != "detail"
    assert report.kind == "single" or "they moved by whole pixels" in report.summary


def test_an_object_that_moves_is_taken_from_one_frame(truth: Floats) -> None:
    setting = Setting("", 6, noise=3, moving=True)
    from subpixel.benchmarks.burst import _with_object  # pyright: ignore[reportPrivateUsage]

    shown = _with_object(truth, 0.0)
    frames = _frames(truth, setting)
    fusion = fuse(frames, 2, psf=setting.psf, reference=0)
    one = Upscaler("auto", scale=2)(Image.from_array(frames[0])).pixels
    path = (slice(40, 88), slice(16, 112))
    assert _psnr(fusion.image.pixels, shown, path) > _psnr(one, shown, path) - 0.3  # no ghosts
    assert _psnr(fusion.image.pixels, shown) > _psnr(one, shown) + 0.5
    assert 0.01 < fusion.report.moved < 0.4
    assert "moves by itself" in fusion.report.summary


def test_frames_that_do_not_fit_are_left_out(truth: Floats) -> None:
    frames = _frames(truth, Setting("", 5, noise=2))
    frames[2] = np.random.default_rng(0).integers(0, 256, frames[2].shape, dtype=np.uint8)
    wide = box(np.moveaxis(frames[3], -1, 0)[0] / np.float32(255), 4)
    frames[3] = (np.stack([wide] * 3, axis=-1) * 255).astype(np.uint8)
    report = fuse(frames, 2, reference=0).report
    assert dict(report.left_out) == {"frame 3": "it shows something else", "frame 4": "it is blurred"}
    assert report.used == 3
    assert "3 of 5 frames on frame 1" in report.summary


def test_where_no_frame_fits_the_best_one_is_enlarged(truth: Floats) -> None:
    (frame,) = _frames(truth, Setting("", 1, noise=2))
    others = [np.random.default_rng(k).integers(0, 256, frame.shape, dtype=np.uint8) for k in range(2)]
    fusion = fuse([frame, *others], 2, reference=0)
    assert fusion.report.kind == "single"
    alone = Upscaler("auto", scale=2)(frame)
    assert np.abs(fusion.image.to_array(8).astype(int) - alone).max() <= 1


def test_another_exposure_is_evened_out(truth: Floats) -> None:
    frames = _frames(truth, Setting("", 6, noise=2))
    darker = [frames[0], *(np.rint(frame * np.array([0.8, 0.85, 0.9])).astype(np.uint8) for frame in frames[1:])]
    alike, uneven = (fuse(each, 2, psf=0.4, reference=0).image.pixels for each in (frames, darker))
    assert np.abs(alike.mean(axis=(0, 1)) - uneven.mean(axis=(0, 1))).max() < 1 / 255
    assert _psnr(uneven, truth) > _psnr(alike, truth) - 1


def test_what_a_longer_exposure_cuts_off_is_left_out(truth: Floats) -> None:
    """Half as long, a little longer, and so long that most is white. Where only parts are, the rest counts."""
    frames = _frames(truth, Setting("", 6, noise=2))
    exposed = (1.0, 0.5, 1.3, 1.0, 6.0, 0.5)
    bracket = [
        np.rint(np.minimum(frame * each, 255)).astype(np.uint8) for frame, each in zip(frames, exposed, strict=True)
    ]
    fusion = fuse(bracket, 2, psf=0.4, reference=0)
    alike = fuse([frame for frame, each in zip(frames, exposed, strict=True) if each < 2], 2, psf=0.4, reference=0)
    assert fusion.report.left_out == (("frame 5", "it is overexposed"),)
    assert fusion.report.moved < 0.07  # 5 % of this scene lie elsewhere by aliasing alone, wherever it is exposed
    assert _psnr(fusion.image.pixels, truth) > _psnr(alike.image.pixels, truth) - 1


def test_the_uncertainty_grows_with_the_error(truth: Floats) -> None:
    fusion, _, _ = _fused(truth, Setting("", 8, noise=4))
    squares = ((fusion.image.pixels - truth) ** 2).mean(axis=2)[8:-8, 8:-8].ravel()
    believed = fusion.uncertainty[8:-8, 8:-8].ravel()
    parts = np.array_split(np.argsort(believed), 4)
    errors = [float(np.sqrt(squares[part].mean())) for part in parts]
    assert errors == sorted(errors)
    assert errors[-1] > 2 * errors[0]
    ratios = [error / float(np.sqrt((believed[part] ** 2).mean())) for error, part in zip(errors, parts, strict=True)]
    assert all(0.4 < ratio < 2.5 for ratio in ratios), ratios


def test_the_sharpest_frame_is_the_reference(truth: Floats) -> None:
    sharp = _frames(truth, Setting("", 2, noise=2, psf=0.4))
    soft = _frames(truth, Setting("", 1, noise=2, psf=0.8))
    assert fuse([soft[0], *sharp], 2).report.reference == "frame 2"


@pytest.mark.parametrize("place", [0, 3, 5])
def test_a_frame_full_of_noise_decides_nothing(truth: Floats, place: int) -> None:
    """It is not the reference though noise is steep, counts little, and is not what tells the gain, wherever it is."""
    clean, noisy = (_frames(truth, Setting("", 6, noise=noise)) for noise in (2, 25))
    fusion, alone = (
        fuse(frames, 2, psf=0.4, model="bicubic") for frames in (_inserted(clean[:5], place, noisy[5]), clean[:5])
    )
    assert fusion.report.reference == f"frame {2 if place == 0 else 1}"
    assert fusion.report.used == 6
    assert fusion.report.gain == pytest.approx(alone.report.gain, abs=0.5)
    assert _psnr(fusion.image.pixels, truth) > _psnr(alone.image.pixels, truth) - 0.2


def _inserted(frames: list[np.ndarray], place: int, frame: np.ndarray) -> list[np.ndarray]:
    return [*frames[:place], frame, *frames[place:]]


@pytest.mark.parametrize("noise", [2, 5, 12])
def test_the_noise_of_a_frame_alone(examples: Path, noise: float) -> None:
    large = np.ascontiguousarray(read(examples / "coffee.jpg").pixels[60:316, 120:440])
    frame = Frame.of(_frames(large, Setting("", 1, noise=noise))[0], 0)
    assert noise_of(frame, frame.luma()) * 255 == pytest.approx(noise * 0.669, rel=0.15)


def test_tiles_do_not_show(truth: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = _frames(truth, Setting("", 4, noise=3))
    whole = fuse(frames, 2, psf=0.4, reference=0, model="bicubic")
    monkeypatch.setattr("subpixel.burst.tiles._SIDE", 64)
    tiled = fuse(frames, 2, psf=0.4, reference=0, model="bicubic")
    assert np.abs(whole.image.pixels - tiled.image.pixels).max() < 6 / 255  # the weights of Huber are of a tile
    assert np.sqrt(((whole.image.pixels - tiled.image.pixels) ** 2).mean()) < 0.5 / 255


@pytest.mark.parametrize(("scale", "size"), [(1, 64), (1.5, 96), (3, 192)])
def test_any_scale(truth: Floats, scale: float, size: int) -> None:
    fusion = fuse(_frames(truth, Setting("", 3, noise=2)), scale, psf=0.4, reference=0)
    assert fusion.image.pixels.shape == (size, size, 3)
    assert fusion.uncertainty.shape == (size, size)


def test_gray_frames_of_sixteen_bits(truth: Floats) -> None:
    frames = [(frame[..., 1].astype(np.uint16) * 257) for frame in _frames(truth, Setting("", 4, noise=2))]
    fusion = fuse([Image.from_array(frame) for frame in frames], 2, psf=0.4, reference=0)
    assert fusion.image.pixels.shape == (128, 128, 1)
    assert fusion.image.metadata.depth == 16
    assert _psnr(fusion.image.pixels, truth[..., 1:2]) > 30


def test_frames_are_alike_or_refused(truth: Floats) -> None:
    frames = _frames(truth, Setting("", 2))
    with pytest.raises(BadRequest, match="frame 2 is 63 x 64 RGB, but frame 1 64 x 64 RGB"):
        fuse([frames[0], frames[1][:, :-1]])
    with pytest.raises(BadRequest, match="1 frame; a burst needs at least 2"):
        fuse(frames[:1])
    with pytest.raises(BadRequest, match="transparency"):
        fuse([np.dstack([frame, np.minimum(frame[..., 0], 254)]) for frame in frames])
    with pytest.raises(BadRequest, match="different colours"):
        fuse(
            [
                Image.from_array(frame, Metadata(icc=profile))
                for frame, profile in zip(frames, (None, b"x"), strict=True)
            ]
        )
    with pytest.raises(BadRequest, match="at least 24 pixels"):
        fuse([frame[:20] for frame in frames])
    for options, said in (
        ({"scale": 9}, "scale 9; expected 1 to 8"),
        ({"psf": 0.0}, "psf 0.0; expected auto"),
        ({"reference": 2}, "reference 2; expected 0 to 1"),
    ):
        with pytest.raises(BadRequest, match=said):
            fuse(frames, **options)  # pyright: ignore[reportArgumentType]


def test_a_motion_is_what_it_says() -> None:
    x, y = Motion.shift(1.5, -2)(np.array([1.0]), np.array([5.0]))
    assert (x[0], y[0]) == (2.5, 3.0)


def test_a_psf_that_the_result_cannot_tell_is_refused(truth: Floats) -> None:
    """At scale 2 all from 0.2 to 0.27 were one; where none is named, what is said is what is reckoned with."""
    frames = _frames(truth, Setting("", 4, noise=2))
    for scale, psf, least in ((2, 0.27, "0.275"), (1.1, 0.49, "0.500"), (1, 0.2, "0.275")):
        said = f"psf {psf} is too narrow for scale {scale}; expected auto, {least} or more"
        with pytest.raises(BadRequest, match=said):
            fuse(frames, scale, psf=psf)
    assert fuse(frames, 1.1, model="bicubic", reference=0).report.psf == pytest.approx(0.5)


@pytest.mark.parametrize("noise", [2, 8])
def test_at_their_own_size_frames_become_cleaner(truth: Floats, noise: float) -> None:
    """Nearer to the frame without noise than it was; they alias, so no image of that size explains all of them."""
    frames, noiseless = (_frames(truth, Setting("", 5, noise=each)) for each in (noise, 0))
    goal = dequantise(noiseless[0])
    fusion = fuse(frames, 1, psf=0.4, reference=0)
    before, after = (_psnr(values, goal) for values in (dequantise(frames[0]), fusion.image.pixels))
    assert fusion.image.pixels.shape == frames[0].shape
    assert after > before + 2
    assert "at their own size (blur 0.40 px" in fusion.report.summary
    error = float(np.sqrt(((fusion.image.pixels - goal) ** 2).mean()))
    assert 0.4 < error / float(np.sqrt((fusion.uncertainty**2).mean())) < 2.5


def test_an_alpha_that_hides_nothing_is_dropped(truth: Floats, tmp_path: Path) -> None:
    frames = _frames(truth, Setting("", 2, noise=2))
    opaque = [np.dstack([frame, np.full(frame.shape[:2], 255, np.uint8)]) for frame in frames]
    paths = [tmp_path / f"{k}.png" for k in (0, 1)]
    for path, frame in zip(paths, opaque, strict=True):
        write(path, Image.from_array(frame))
    for source, frame in zip([*opaque, *map(Image.from_array, opaque), *paths], frames * 3, strict=True):
        np.testing.assert_array_equal(dequantise(Frame.of(source, 1).levels), dequantise(frame))


@pytest.mark.parametrize("noise", [0.3, 2, 20])
def test_of_flat_frames_it_is_said_that_they_are(noise: float) -> None:
    rng = np.random.default_rng(0)
    flat = [np.rint(128 + rng.normal(0, noise, (64, 64, 3))).astype(np.uint8) for _ in range(3)]
    report = fuse(flat, 2, model="bicubic").report
    assert {why for _, why in report.left_out} == {"it is flat, or the reference is: nothing shows how they lie"}

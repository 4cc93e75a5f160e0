"""The benchmark of quality: sets found and verified, published values beside ours."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from PIL import Image as Pillow

from subpixel.benchmarks import benchmark_sets, quality
from subpixel.benchmarks.benchmark_sets import Benchmark
from subpixel.benchmarks.quality import Candidate, bench_quality, bicubic
from subpixel.degradations import Downsample
from subpixel.errors import BadRequest, DataError, UnknownName
from subpixel.images import Image, read
from subpixel.metrics.protocol import Protocol

PUBLISHED = {"Set5": (33.66, 30.39, 28.42), "Set14": (30.24, 27.55, 26.00), "BSD100": (29.56, 27.21, 25.96)}


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A set "Two" of a colour and a gray image that is stored as colour, both random."""
    levels = np.random.default_rng(0).integers(0, 256, (2, 24, 30, 3), np.uint8)
    levels[1, ..., 1:] = levels[1, ..., :1]
    folder = tmp_path / "data" / "TWO"
    folder.mkdir(parents=True)
    for name, image in zip(("b.png", "a.png"), levels, strict=True):
        Pillow.fromarray(image).save(folder / name)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in levels]
    whole = hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()
    spec = Benchmark("Two", ("two",), 2, whole, (digests[1],))
    monkeypatch.setattr(benchmark_sets, "known", lambda: {"Two": spec})
    return spec, tmp_path / "data", levels


# --- sets


def test_images_come_in_the_order_of_their_names_and_gray_ones_gray(two):
    spec, root, levels = two
    (first, gray), (second, colour) = benchmark_sets.images(root, spec)
    assert (first, second) == ("a", "b")
    assert np.array_equal(gray.to_array(8), levels[1, ..., 0])
    assert np.array_equal(colour.to_array(8), levels[0])
    assert benchmark_sets.verified(root, spec)


def test_names_and_formats_do_not_matter_to_the_fingerprint(two):
    spec, root, levels = two
    (root / "TWO/a.png").unlink()
    Pillow.fromarray(levels[1, ..., 0]).save(root / "TWO/z.webp", lossless=True)
    assert benchmark_sets.verified(root, spec)


def test_other_pixels_are_refused(two):
    spec, root, levels = two
    changed = levels[0].copy()
    changed[3, 4, 1] ^= 1
    Pillow.fromarray(changed).save(root / "TWO/b.png")
    with pytest.raises(DataError, match=r"Two in .* are not the published ones"):
        benchmark_sets.verified(root, spec)


def test_a_folder_of_originals_inside(two):
    spec, root, _ = two
    (root / "TWO/HR").mkdir()
    for name in ("a.png", "b.png"):
        (root / "TWO" / name).rename(root / "TWO/HR" / name)
    assert [path.parent.name for path in benchmark_sets.files(root, spec)] == ["HR", "HR"]


def test_missing_images(two, tmp_path):
    spec, root, _ = two
    (root / "TWO/a.png").rename(root / "TWO/a.txt")
    with pytest.raises(DataError, match="TWO holds 1 images; Two has 2"):
        benchmark_sets.files(root, spec)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no folder two in .*empty; put the images of Two there"):
        benchmark_sets.files(tmp_path / "empty", spec)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        benchmark_sets.files(tmp_path / "nowhere", spec)


def test_sets_by_name():
    assert benchmark_sets.benchmark("set5").name == "Set5"
    with pytest.raises(UnknownName, match="did you mean 'Urban100'"):
        benchmark_sets.benchmark("Urban10")
    assert {b.name: b.images for b in benchmark_sets.known().values()} == {
        "Set5": 5, "Set14": 14, "BSD100": 100, "Urban100": 100, "Manga109": 109, "DIV2K": 100,
        "Crops": 6,
    }  # fmt: skip


# --- papers


def test_published_values_of_bicubic():
    found = {
        (p.dataset, p.scale): p.value
        for s in (2, 3, 4)
        for p in quality.published("bicubic", "bicubic", s)
        if p.metric == "psnr"
    }
    for dataset, values in PUBLISHED.items():
        assert tuple(found[dataset, scale] for scale in (2, 3, 4)) == values


def test_every_published_value_has_a_source_and_is_plausible():
    page = quality.papers()
    scales = [entry for name, model in page.items() if name != "sources" for k, entry in model.items() if k[0] == "x"]
    assert len(scales) > 30
    for entry in scales:
        assert page["sources"][entry["source"]]
        assert all(18 < v < 41 or math.isnan(v) for v in entry["psnr"])
        assert all(0.5 < v < 1 or math.isnan(v) for v in entry.get("ssim", ()))


def test_what_is_not_published_is_left_out():
    assert [(p.model, p.dataset, p.value) for p in quality.published("mine", "espcn", 3)] == [
        ("mine", "Set5", 32.55), ("mine", "Set14", 29.08),
    ]  # fmt: skip
    assert quality.published("espcn", "espcn", 7) == []
    assert quality.published("nobody", "nobody", 2) == []


# --- the benchmark


def test_bicubic_enlarges_in_float():
    low = Image(np.array([[0.0, 1.0]], np.float32)[..., None])
    high = bicubic(2).upscale(low)
    assert high.pixels.shape == (2, 4, 1)
    assert high.pixels.min() == 0
    np.testing.assert_allclose(high.pixels[0, 1, 0] + high.pixels[0, 2, 0], 1, atol=1e-6)


def test_the_report_says_how(two):
    _, root, _ = two
    gray_too: list[int] = []

    def upscale(low: Image) -> Image:
        gray_too.append(low.channels)
        return bicubic(2).upscale(low)

    report = bench_quality([bicubic(2), Candidate("mine", 2, upscale, paper="vdsr")], root, ["two"])
    assert gray_too == [1, 3]
    assert len(report.rows) == 2 * 2 * 2
    assert report.degradation == "bicubic (MATLAB's imresize of 8-bit images)"
    assert report.notes == ("bicubic: on the luma alone, as it was published.",)
    assert {(p.model, p.source) for p in report.published} == {("bicubic", "RCAN"), ("mine", "CARN")}


def test_other_conditions_have_no_published_value_beside_them(two):
    _, root, _ = two
    rgb = bench_quality([bicubic(2)], root, ["two"], protocol=Protocol(luma=False))
    area = bench_quality([bicubic(2)], root, ["two"], degradation=lambda scale: Downsample(scale, "area"))
    assert rgb.published == area.published == ()
    assert area.degradation.startswith("Downsample(scale=2, kernel='area'")


def test_a_set_of_which_nothing_is_known_gets_a_note(two, monkeypatch):
    spec, root, _ = two
    monkeypatch.setattr(benchmark_sets, "known", lambda: {"Two": Benchmark("Two", spec.folders, 2)})
    (note,) = bench_quality([Candidate("mine", 2, bicubic(2).upscale)], root, ["Two"]).notes
    assert note == "Two: the pixels could not be verified (no digest of the published set is known)."


def test_nothing_to_measure(two):
    _, root, _ = two
    with pytest.raises(BadRequest, match="nothing to measure"):
        bench_quality([], root, ["Two"])
    with pytest.raises(BadRequest, match="nothing to measure"):
        bench_quality([bicubic(2)], root, [])


def test_bridge_is_gray(shared):
    spec = benchmark_sets.benchmark("Set14")
    gray = [name for name, image in benchmark_sets.images(shared / "data/bench", spec) if image.channels == 1]
    assert len(gray) == 1
    assert gray[0] == "bridge"


def test_jpegs_decode_alike(shared):
    """The fingerprint of BSD100 rests on JPEG files; here and in Pillow they have the same pixels."""
    path = sorted((shared / "data/bench/BSD100").iterdir())[0]
    assert np.array_equal(read(path).to_array(8), np.asarray(Pillow.open(path)))


@pytest.mark.parametrize(("name", "scales"), [("Set5", (2, 3, 4)), ("Set14", (2, 3, 4)), ("BSD100", (3,))])
def test_bicubic_is_as_published(shared, name, scales):
    """Within 0.01 dB, on verified pixels."""
    report = bench_quality(
        [bicubic(s) for s in scales], shared / "data/bench", [name], metrics={"psnr": quality.DEFAULT_METRICS["psnr"]}
    )
    means = report.means()
    assert len(means) == len(scales)
    assert all(abs(mean.difference) <= 0.01 for mean in means), report
    assert [mean.published for mean in means] == [PUBLISHED[name][scale - 2] for scale in scales]

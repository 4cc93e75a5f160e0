"""Training data: every layout gives the same pixels, crops are aligned, and nothing wrong passes."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from injected_faults import room
from PIL import Image as Pillow

from subpixel import degradations as d
from subpixel.datasets import patches, sources
from subpixel.datasets.check import inspect
from subpixel.datasets.files import ImageFile, find_images
from subpixel.datasets.layouts import find_layout, size_mismatch
from subpixel.datasets.leakage import check_disjoint
from subpixel.datasets.sample import Arrays
from subpixel.degradations.labels import Traces
from subpixel.errors import DataError, UnreadableImage
from subpixel.images import Image, read, write
from subpixel.resample import resize
from subpixel.training.batches import to_tensors
from subpixel.training.validation_set import ValidationSet


def pixels(seed: int, height: int = 40, width: int = 52, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def save(path: Path, levels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Image.from_array(levels))


def half(levels: np.ndarray) -> np.ndarray:
    """Not what `resize` would make: so that it shows where LR came from."""
    return levels[::2, ::2] // 2


def zipped(folder: Path, archive: Path, below: Path) -> None:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, path.relative_to(below))


HIGH = {"0001": pixels(1), "0002": pixels(2, 64, 36), "0801": pixels(3)}


@pytest.fixture
def div2k(tmp_path: Path) -> Path:
    """Two images to train on and one for validation, with LR for x2."""
    root = tmp_path / "DIV2K"
    for name, high in HIGH.items():
        part = "valid" if name == "0801" else "train"
        save(root / f"DIV2K_{part}_HR/{name}.png", high)
        save(root / f"DIV2K_{part}_LR_bicubic/X2/{name}x2.png", half(high))
    return root


def refused(folder: Path, cache: Path, scale: int = 2) -> str:
    with pytest.raises(DataError) as caught:
        sources.pairs(folder, scale, resize, cache)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def contents(data: sources.Pairs) -> list[tuple[bytes, bytes]]:
    return [(data.low[k].tobytes(), data.high[k].tobytes()) for k in range(len(data.high))]


TRAINING = [(half(HIGH[name]).tobytes(), HIGH[name].tobytes()) for name in ("0001", "0002")]

# --- layouts


def test_photos_alone_are_reduced(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", pixels(1, 41, 53))
    save(tmp_path / "in/b/a.png", pixels(2, 40, 40, 1))
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")
    assert np.array_equal(data.low[0], resize(pixels(1, 41, 53)[:40, :52], 20, 26))
    gray = np.repeat(pixels(2, 40, 40, 1), 3, axis=2)
    assert np.array_equal(data.high[1], gray)
    assert np.array_equal(data.low[1], resize(gray, 20, 20))


def test_div2k_as_folders(div2k: Path, tmp_path: Path) -> None:
    assert contents(sources.pairs(div2k, 2, resize, tmp_path / "cache")) == TRAINING
    valid = find_layout(div2k, "valid")
    assert [file.name for file in valid.high] == [str(div2k / "DIV2K_valid_HR/0801.png")]
    assert [[file.place.stem for file in pair] for pair in sources.file_pairs(valid, 2)] == [["0801", "0801x2"]]
    assert [file.place.stem for file in find_layout(div2k).high] == ["0001", "0002"]
    message = refused(div2k, tmp_path / "cache", scale=3)
    assert message.startswith(f"{div2k} has low resolution for x2, not for x3")
    alone = sources.pairs(div2k / "DIV2K_train_HR", 2, resize, tmp_path / "cache")
    assert np.array_equal(alone.low[0], resize(HIGH["0001"], 20, 26))


def test_div2k_as_zip_files(div2k: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    zipped(div2k / "DIV2K_train_HR", packed / "DIV2K_train_HR.zip", div2k)
    zipped(div2k / "DIV2K_train_LR_bicubic", packed / "DIV2K_train_LR_bicubic_X2.zip", div2k)
    assert contents(sources.pairs(packed, 2, resize, tmp_path / "cache")) == TRAINING
    shutil.copytree(div2k / "DIV2K_train_HR", packed / "DIV2K_train_HR")  # unpacked beside: counts once
    assert [bool(file.member) for file in find_images(packed)] == [False, False, True, True]
    assert contents(sources.pairs(packed, 2, resize, tmp_path / "cache")) == TRAINING
    single = sources.pairs(packed / "DIV2K_train_HR.zip", 2, resize, tmp_path / "cache")
    assert [single.high[k].tobytes() for k in (0, 1)] == [high for _, high in TRAINING]
    assert sorted(p.name for p in packed.iterdir()) == [
        "DIV2K_train_HR", "DIV2K_train_HR.zip", "DIV2K_train_LR_bicubic_X2.zip",
    ]  # fmt: skip


def test_an_archive_without_a_folder_takes_its_own_name(div2k: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    zipped(div2k / "DIV2K_train_HR", packed / "HR.zip", div2k / "DIV2K_train_HR")
    zipped(div2k / "DIV2K_train_LR_bicubic/X2", packed / "LR_x2.zip", div2k / "DIV2K_train_LR_bicubic/X2")
    assert contents(sources.pairs(packed, 2, resize, tmp_path / "cache")) == TRAINING


@pytest.mark.parametrize("low", ["LR", "LR_x2", "LRx2", "lr/X2", "LR_bicubic/X2", "LR_unknown_x2"])
def test_paired_folders(tmp_path: Path, low: str) -> None:
    for name, ending in (("0001", "png"), ("0002", "webp")):
        save(tmp_path / f"in/HR/deep/{name}.png", HIGH[name])
        save(tmp_path / f"in/{low}/deep/{name}.{ending}", half(HIGH[name]))
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")
    assert contents(data)[0] == TRAINING[0]
    assert data.low[1].shape == (32, 18, 3)


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("GT/{}", "LQ/{}"), ("gt/{}", "lq/{}"), ("GTmod12/{}", "LRbicx2/{}"), ("trainH/{}", "trainL/{}"),
        ("high/{}", "low/{}"), ("High-Res/{}", "low_res/{}"), ("Flickr2K_HR/{}", "Flickr2K_LR_bicubic/X2/{}x2"),
        ("train_HR_sub/{}", "train_LR_bicubic/X2_sub/{}"), ("faces_GT/{}", "faces_LQ/{}"), ("HQ/{}", "LQ_x2/{}"),
        ("photos/{}_HR", "photos/{}_LR"), ("{}_GT", "{}_LQ"), ("HR/{}_HR", "LR/{}_LR"), ("lr-hr/HR/{}", "lr-hr/LR/{}"),
    ],
)  # fmt: skip
def test_the_names_of_the_field(tmp_path: Path, high: str, low: str) -> None:
    for name in ("0001", "0002"):
        save(tmp_path / f"in/{high.format(name)}.png", HIGH[name])
        save(tmp_path / f"in/{low.format(name)}.png", half(HIGH[name]))
    assert contents(sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")) == TRAINING
    assert not [f.problem for f in inspect(tmp_path / "in") if f.problem]


@pytest.mark.parametrize("low", ["blurry/0001", "small/0001", "0001x2", "deep/down/0001_x2"])
def test_low_resolution_under_another_name_is_not_taken_for_high(tmp_path: Path, low: str) -> None:
    save(tmp_path / "in/sharp/0001.png", HIGH["0001"])
    save(tmp_path / f"in/{low}.png", half(HIGH["0001"]))
    message = refused(tmp_path / "in", tmp_path / "cache")
    small, large = f"{tmp_path}/in/{low}.png", f"{tmp_path}/in/sharp/0001.png"
    assert message.startswith(f"{small} looks like low resolution of {large}, but both would be HR; call their folders")
    assert "LR_x2 and HR" in message
    save(tmp_path / f"in/{low}.png", HIGH["0002"])  # of another shape: another photo
    assert len(find_layout(tmp_path / "in").high) == 2


def test_a_word_inside_a_name_holds_nothing_out(tmp_path: Path) -> None:
    """latest, contest and valley are photos; val and test are not, where there is a train beside."""
    for place in ("latest_HR/a", "contest_HR/b", "valley_HR/c"):
        save(tmp_path / f"pairs/{place}.png", HIGH["0001"])
        save(tmp_path / f"pairs/{place.replace('HR', 'LR')}.png", half(HIGH["0001"]))
    assert len(find_layout(tmp_path / "pairs").high) == 3
    for place in ("train/a", "train/b", "val/c", "test/d", "latest/e"):
        save(tmp_path / f"root/{place}.png", HIGH["0001"])
    parts = [[f.place.stem for f in find_layout(tmp_path / "root", part).high] for part in ("train", "valid")]
    assert parts == [["e", "a", "b"], ["d", "c"]]
    for place in ("cats/a", "test/d"):
        save(tmp_path / f"kinds/{place}.png", HIGH["0001"])
    assert len(find_layout(tmp_path / "kinds").high) == 2


def test_what_is_trained_on_is_not_validated_on(tmp_path: Path) -> None:
    for place in ("a/1", "a/2", "b/3"):
        save(tmp_path / f"{place}.png", pixels(int(place[-1])))
    check_disjoint(tmp_path / "a", tmp_path / "b")
    shutil.copy(tmp_path / "a/2.png", tmp_path / "b/other.png")
    with pytest.raises(DataError, match=r"a/2\.png and .*b/other\.png are the same image, trained on and validated on"):
        check_disjoint(tmp_path / "a", tmp_path / "b")
    with pytest.raises(DataError, match=r"a/1\.png is trained on and validated on"):
        check_disjoint(tmp_path / "a", tmp_path / "a")
    zipped(tmp_path / "a", tmp_path / "a.zip", tmp_path)
    with pytest.raises(DataError, match=r"a/1\.png and .*a\.zip/a/1\.png are the same image"):
        check_disjoint(tmp_path / "a", tmp_path / "a.zip")
    for part in ("train", "val"):
        save(tmp_path / f"root/{part}/{part}.png", pixels(len(part)))
    check_disjoint(tmp_path / "root", tmp_path / "root")
    check_disjoint(tmp_path / "root", tmp_path / "root/val")
    with pytest.raises(DataError, match="trained on and validated on"):
        check_disjoint(tmp_path / "root/train", tmp_path / "root/train")


@pytest.mark.parametrize("ending", ["bmp", "tga", "ppm", "jp2"])
def test_every_format_that_can_be_read_is_trained_on(tmp_path: Path, ending: str) -> None:
    (tmp_path / "in").mkdir()
    Pillow.fromarray(HIGH["0001"]).save(
        tmp_path / f"in/a.{ending}", **({"irreversible": False} if ending == "jp2" else {})
    )
    assert np.array_equal(sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache").high[0], HIGH["0001"])


def test_linked_folders_are_looked_into_once(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere/deep/a.png", HIGH["0001"])
    save(tmp_path / "in/b.png", HIGH["0002"])
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in/round").symlink_to(tmp_path / "in", target_is_directory=True)
    assert [str(file.place) for file in find_images(tmp_path / "in")] == ["b.png", "link/deep/a.png"]


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    save(tmp_path / "b.png", pixels(0))
    for name in ("a.png", "c.zip"):
        os.mkfifo(tmp_path / name)
    assert [file.path.name for file in find_images(tmp_path)] == ["b.png"]
    assert [finding.problem for finding in inspect(tmp_path)] == [""]


def test_several_scales_and_names_that_end_like_a_scale(tmp_path: Path) -> None:
    save(tmp_path / "in/HR/linux2.png", HIGH["0001"])
    for scale, name in ((2, "linux2"), (4, "linux2x4")):
        save(tmp_path / f"in/LR_x{scale}/{name}.png", HIGH["0001"][::scale, ::scale])
    for scale in (2, 4):
        data = sources.pairs(tmp_path / "in", scale, resize, tmp_path / "cache")
        assert np.array_equal(data.low[0], HIGH["0001"][::scale, ::scale])
        assert data.scale == scale


def test_folders_whose_names_only_look_alike_are_photos(tmp_path: Path) -> None:
    for place in ("low_light/a", "LR_export/b", "THR/c", "flowers_x2/d"):
        save(tmp_path / f"{place}.png", HIGH["0001"])
    assert len(find_layout(tmp_path).high) == 4
    assert find_layout(tmp_path).low == {}


def test_low_resolution_rounded_up_is_cut(tmp_path: Path) -> None:
    high, low = pixels(1, 41, 53), pixels(2, 21, 27)
    save(tmp_path / "in/HR/a.png", high)
    save(tmp_path / "in/LR/a.png", low)
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")
    assert np.array_equal(data.low[0], low[:20, :26])
    batch = data.batch(np.random.default_rng(0), 64, 20)
    assert (batch.low.shape, batch.high.shape, batch.labels) == ((64, 3, 20, 20), (64, 3, 40, 40), None)


# --- what is refused


@pytest.mark.parametrize(
    ("low", "high", "scale", "expected"),
    [
        ((20, 26), (40, 52), 2, ""),
        ((20, 27), (41, 53), 2, ""),
        ((21, 26), (40, 52), 2, "26x21 pixels; expected 26x20, 1/2"),
        ((26, 20), (40, 52), 2, "20x26 pixels; expected 26x20, 1/2"),
        ((13, 17), (40, 52), 3, ""),
        ((1, 1), (1, 5), 2, "1x1 pixels; expected 2x0, 1/2"),
    ],
)
def test_sizes_by_hand(low: tuple[int, int], high: tuple[int, int], scale: int, expected: str) -> None:
    assert size_mismatch(low, high, scale) == expected


def test_what_does_not_fit_is_named(div2k: Path, tmp_path: Path) -> None:
    cache, low = tmp_path / "cache", div2k / "DIV2K_train_LR_bicubic/X2"
    save(low / "0002x2.png", pixels(0, 30, 18))
    expected = f"{low}/0002x2.png: 18x30 pixels; expected 18x32, 1/2 of {div2k}/DIV2K_train_HR/0002.png"
    assert refused(div2k, cache) == expected
    (low / "0002x2.png").unlink()
    assert refused(div2k, cache).startswith(f"{div2k}/DIV2K_train_HR/0002.png: there is no LR image of that name")
    save(low / "0002x2.png", half(HIGH["0002"]))
    save(low / "0002.png", half(HIGH["0002"]))
    assert "0002x2.png: " in refused(div2k, cache)
    assert "0002.png is already the LR image" in refused(div2k, cache)
    (low / "0002.png").rename(low / "0003.png")
    assert refused(div2k, cache).startswith(f"{low}/0003.png: there is no HR image of that name")
    shutil.rmtree(div2k / "DIV2K_train_HR")
    shutil.rmtree(div2k / "DIV2K_valid_HR")
    assert "holds low resolution alone" in refused(div2k, cache)


def test_what_is_no_data_at_all(tmp_path: Path) -> None:
    assert (
        refused(tmp_path / "missing", tmp_path / "c")
        == f"cannot look into {tmp_path}/missing: no such file or directory"
    )
    (tmp_path / "in").mkdir()
    save(tmp_path / "in/.hidden.png", HIGH["0001"])
    assert refused(tmp_path / "in", tmp_path / "c").startswith(f"no images in {tmp_path}/in; expected")
    (tmp_path / "in/a.zip").write_bytes(b"PK nothing")
    assert refused(tmp_path / "in", tmp_path / "c").startswith(f"cannot read the archive {tmp_path}/in/a.zip")
    (tmp_path / "in/a.zip").unlink()
    save(tmp_path / "in/tiny.png", pixels(0, 1, 9))
    assert "tiny.png: a side of less than 2 pixels" in refused(tmp_path / "in", tmp_path / "c")


def test_damage_inside_an_archive_is_named(div2k: Path, tmp_path: Path) -> None:
    archive = tmp_path / "HR.zip"
    zipped(div2k / "DIV2K_train_HR", archive, div2k)
    content = bytearray(archive.read_bytes())
    content[500] ^= 255  # in the first image, which is stored as it is
    archive.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"HR\.zip/DIV2K_train_HR/0001\.png: .*CRC"):
        find_images(archive)[0].read()
    assert np.array_equal(find_images(archive)[1].rgb(), HIGH["0002"])
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", b"\x89PNG nothing")
    assert refused(archive, tmp_path / "c").startswith(f"cannot read {archive}/a.png: it is damaged")


def test_an_image_that_vanishes_while_packing_leaves_no_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        save(tmp_path / f"in/{name}.png", pixels(1))
    whole = ImageFile.samples

    def samples(file: ImageFile, channels: int) -> np.ndarray:
        (tmp_path / "in/b.png").unlink(missing_ok=True)
        return whole(file, channels)

    monkeypatch.setattr(ImageFile, "samples", samples)
    message = refused(tmp_path / "in", tmp_path / "cache")
    assert message == f"cannot read {tmp_path}/in/b.png: no such file; mend or remove it and start again"
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_headers_tell_is_told_before_anything_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, levels in (("a", pixels(1)), ("z", pixels(2, 30, 52))):
        save(tmp_path / f"photos/{place}.png", levels)
        save(tmp_path / f"pairs/HR/{place}.png", levels)
        save(tmp_path / f"pairs/LR/{place}.png", half(levels))
        save(tmp_path / f"unlike/HR/{place}.png", levels)
        save(tmp_path / f"unlike/LR/{place}.png", half(levels))

    def decoded(*_: object) -> None:
        pytest.fail("an image was decoded")

    monkeypatch.setattr(ImageFile, "samples", decoded)
    cache, small = tmp_path / "cache", r"z\.png: a low-resolution image is 26x15, smaller than the patch of 16"
    with pytest.raises(DataError, match=small):
        sources.pairs(tmp_path / "photos", 2, resize, cache, patch=16)
    with pytest.raises(DataError, match=small):
        sources.degraded(tmp_path / "photos", 2, BLURRED, cache, patch=16)
    with pytest.raises(DataError, match=small):
        sources.pairs(tmp_path / "pairs", 2, resize, cache, patch=16)
    with pytest.raises(DataError, match=r"z\.png: a low-resolution image is 52x30, smaller than the patch of 33"):
        sources.moving(tmp_path / "photos", 2, 3, cache, patch=8)
    save(tmp_path / "unlike/LR/z.png", pixels(3, 15, 25))
    with pytest.raises(DataError, match=r"z\.png: 25x15 pixels; expected 26x15, 1/2 of .*HR/z\.png"):
        sources.pairs(tmp_path / "unlike", 2, resize, cache)
    assert not cache.exists()


def test_a_full_disk_leaves_no_pack(tmp_path: Path) -> None:
    for name in "abc":
        save(tmp_path / f"in/{name}.png", pixels(1))
    cache = tmp_path / "cache"
    with room(10_000):
        message = refused(tmp_path / "in", cache)
    assert message == f"cannot pack the images into {cache}: file too large; make room or take another folder"
    assert list(cache.iterdir()) == []
    assert len(sources.pairs(tmp_path / "in", 2, resize, cache).high) == 3
    (tmp_path / "in/file").touch()
    assert "cannot pack the images into" in refused(tmp_path / "in", tmp_path / "in/file")


def test_a_pack_is_made_once_and_again_when_an_image_changes(tmp_path: Path) -> None:
    path, cache, calls = tmp_path / "in/a.png", tmp_path / "cache", []
    levels = [np.full((40, 52, 3), level, np.uint8) for level in (7, 9)]
    save(path, levels[0])
    before = path.stat()

    def counted(levels, height, width):
        calls.append(height)
        return resize(levels, height, width)

    for _ in range(2):
        data = sources.pairs(tmp_path / "in", 2, counted, cache)
    assert calls == [20]
    assert np.array_equal(data.high[0], levels[0])
    save(path, levels[1])
    assert path.stat().st_size == before.st_size  # the time alone tells
    assert np.array_equal(sources.pairs(tmp_path / "in", 2, counted, cache).high[0], levels[1])
    sources.pairs(tmp_path / "in", 4, counted, cache)
    assert len(list(cache.glob("*.bin"))) == 5  # HR is shared by the scales


def test_sixteen_bits_stay_and_mix_with_eight(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 52, 3), dtype=np.uint16)
    save(tmp_path / "in/a.png", deep)
    save(tmp_path / "in/b.png", HIGH["0001"])
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")
    assert np.array_equal(data.high[0], deep)
    assert np.array_equal(data.high[1], HIGH["0001"])
    expected = np.clip(resize(deep / 65535, 20, 26), 0, 1)
    np.testing.assert_allclose(data.low[0] / 65535, expected, atol=0.6 / 65535)
    assert data.low[1].dtype == np.uint8
    batch = data.batch(np.random.default_rng(1), 16, 10)
    assert batch.high.dtype == batch.low.dtype == np.uint16
    levels = [set(crop.ravel()) for crop in batch.high]
    assert any(values <= set(deep.ravel()) for values in levels)
    assert any(values <= {257 * level for level in range(256)} for values in levels)  # x / 255 = 257 x / 65535
    low, high = to_tensors(batch, "cpu").low, to_tensors(batch, "cpu").high
    np.testing.assert_allclose(high.numpy(), batch.high / 65535, atol=1e-7)
    assert low.max() <= 1
    made = sources.degraded(tmp_path / "in", 2, d.Downsample(2, round8=False), tmp_path / "cache")
    assert made.batch(np.random.default_rng(1), 16, 10).low.dtype == np.uint16
    pair = next(ValidationSet.find(tmp_path / "in", 2, d.Downsample(2, round8=False)).pairs())
    np.testing.assert_allclose(pair.high.pixels, deep / 65535, atol=1e-7)


def test_what_is_not_trained_on_as_it_is_is_told(tmp_path: Path) -> None:
    for channels in (1, 2, 3, 4):
        save(tmp_path / f"in/{channels}.png", pixels(channels, channels=channels))
    assert sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache").high.notes == [
        "2 of 4 images gray, trained on as R = G = B",
        "2 of 4 images with alpha or a fourth channel, which is left out",
    ]


def test_alpha_is_left_out(tmp_path: Path) -> None:
    save(tmp_path / "in/a.png", pixels(1, 8, 9, 2))
    save(tmp_path / "in/b.png", pixels(2, 8, 9, 4))
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")
    assert np.array_equal(data.high[0], np.repeat(pixels(1, 8, 9, 2)[..., :1], 3, axis=2))
    assert np.array_equal(data.high[1], pixels(2, 8, 9, 4)[..., :3])


# --- degraded on the fly

BLURRED = d.Chain((d.GaussianBlur(2.0), d.Downsample(2)))


@pytest.fixture
def photo(tmp_path: Path, examples: Path) -> Path:
    """One real image of 81 x 120 pixels, in a folder."""
    save(tmp_path / "in/a.png", read(examples / "astronaut.jpg").to_array()[100:181, 150:270])
    return tmp_path / "in"


@pytest.mark.parametrize("patch", [8, 24, 40])
def test_crops_are_those_of_the_whole_image_degraded(photo: Path, tmp_path: Path, patch: int) -> None:
    data = sources.degraded(photo, 2, BLURRED, tmp_path / "cache")
    whole = read(photo / "a.png").pixels[:80]
    low = np.round(255 * BLURRED.apply(whole, np.random.default_rng(0))).astype(np.uint8)
    expected = {
        patches.dihedral(low[y : y + patch, x : x + patch], symmetry).tobytes(): (y, x, symmetry)
        for y in range(41 - patch) for x in range(61 - patch) for symmetry in range(8)
    }  # fmt: skip
    batch = data.batch(np.random.default_rng(1), 12, patch)
    for one, high in zip(batch.low.transpose(0, 2, 3, 1), batch.high.transpose(0, 2, 3, 1), strict=True):
        y, x, symmetry = expected[one.tobytes()]  # bit by bit, at the edges too
        crop = data.high[0][2 * y : 2 * (y + patch), 2 * x : 2 * (x + patch)]
        assert np.array_equal(high, patches.dihedral(crop, symmetry))


def test_random_degradations_repeat_themselves(photo: Path, tmp_path: Path) -> None:
    data = sources.degraded(photo, 4, d.real_world(4), tmp_path / "cache")
    first, again, other = (data.batch(np.random.default_rng(seed), 3, 12) for seed in (5, 5, 6))
    assert np.array_equal(first.low, again.low)
    assert np.array_equal(first.high, again.high)
    assert not np.array_equal(first.low, other.low)
    assert (first.low.shape, first.high.shape, first.low.dtype) == ((3, 3, 12, 12), (3, 3, 48, 48), np.uint8)
    assert first.labels is not None
    assert first.labels.shape == (3, len(d.LABELS))
    assert np.array_equal(first.labels, again.labels)


@dataclass(frozen=True)
class Levels(d.Degradation):
    """Every pixel at one of a few levels; the label names it."""

    levels: tuple[int, ...]

    def sample(self, rng: np.random.Generator) -> d.Degradation:
        return Levels((int(rng.choice(self.levels)),))

    def apply(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.full_like(pixels, self.levels[0] / 255)

    def trace(self, traces: Traces) -> Traces:
        return replace(traces, jpeg_quality=self.levels[0])


def test_labels_are_what_was_drawn_for_each_crop(photo: Path, tmp_path: Path) -> None:
    chain = d.Chain((Levels((7,)), d.Downsample(2), d.Choice((Levels(tuple(range(10, 250))), d.Chain()))))
    batch = sources.degraded(photo, 2, chain, tmp_path / "cache").batch(np.random.default_rng(0), 16, 10)
    assert batch.labels is not None
    assert batch.labels.dtype == np.float32
    labels = dict(zip(d.LABELS, batch.labels.T, strict=True))
    assert np.array_equal(
        labels["jpeg_quality"], batch.low[:, 0, 0, 0]
    )  # the last one's, and the first's where it stays
    assert len(set(labels["jpeg_quality"])) > 5
    assert np.array_equal(labels["factor"], np.full(16, 0.5))
    assert np.array_equal(labels["noise_luma"], np.zeros(16))


def test_a_degradation_of_another_scale_is_refused(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"makes 44x40 of 88x80 pixels; expected 22x20: it must reduce by 4"):
        sources.degraded(photo, 4, d.Downsample(2), tmp_path / "cache").check(8)
    with pytest.raises(DataError, match=r"a\.png: a low-resolution image is 60x40, smaller than the patch of 41"):
        sources.degraded(photo, 2, BLURRED, tmp_path / "cache").check(41)
    sources.degraded(photo, 2, BLURRED, tmp_path / "cache").check(40)


# --- batches ahead


def test_batches_ahead_are_those_of_their_steps(photo: Path, tmp_path: Path) -> None:
    data = sources.pairs(photo, 2, resize, tmp_path / "cache")

    def batch(step: int) -> Arrays:
        return data.batch(np.random.default_rng([3, step]), 2, 10)

    batches = list(patches.prefetch(batch, range(4, 9)))
    assert len(batches) == 5
    for step, ready in zip(range(4, 9), batches, strict=True):
        assert np.array_equal(ready.low, batch(step).low)
        assert np.array_equal(ready.high, batch(step).high)


def test_no_more_is_made_ahead_than_there_are_threads() -> None:
    made: list[int] = []

    def make(step: int) -> int:
        if step == 6:
            raise DataError("the sixth")
        made.append(step)
        return step

    steps = patches.prefetch(make, range(100), threads=2)
    assert [next(steps), next(steps)] == [0, 1]
    steps.close()
    assert set(made) <= {0, 1, 2, 3}
    with pytest.raises(DataError, match="the sixth"):
        list(patches.prefetch(make, range(100)))


def test_a_small_image_is_named(tmp_path: Path) -> None:
    for name, side in (("a", 40), ("b", 30), ("c", 31)):
        save(tmp_path / f"in/{name}.png", pixels(1, side, 50))
    data = sources.pairs(tmp_path / "in", 2, resize, tmp_path / "cache")
    data.check(15)
    with pytest.raises(DataError, match=r"in/b\.png \(and 1 more\): a low-resolution image is 25x15"):
        data.check(16)


# --- the check


def test_inspect_tells_of_every_image(div2k: Path) -> None:
    save(div2k / "DIV2K_train_LR_bicubic/X4/0001x4.png", pixels(0, 10, 13))
    problems = {Path(f.name).name: f.problem for f in inspect(div2k) if f.problem}
    assert problems == {"0002.png": "there is no LR image of that name"}  # of x4
    assert [f.problem for f in inspect(div2k, scale=2)] == [""] * 4
    assert sum(f.pixels for f in inspect(div2k, scale=2)) == (40 * 52 + 64 * 36) * 5 // 4
    small = {Path(f.name).name: f.problem for f in inspect(div2k, patch=20, scale=2) if f.problem}
    assert small == {
        "0002.png": "36x64 pixels; expected at least 40 a side in HR",
        "0002x2.png": "18x32 pixels; expected at least 20 a side in LR",
    }

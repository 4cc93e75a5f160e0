"""`subpixel degrade`: results, the page beside them, and the same pixels from that page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel import degradations as d
from subpixel.degradations.applied import read_applied
from subpixel.images import Image, read, write
from subpixel.resample import resize

Call = Callable[..., tuple[int, str, str]]

PHOTO = np.kron(np.random.default_rng(0).integers(0, 256, (11, 14, 3)), np.ones((4, 4, 1))).astype(np.uint8)[:43, :55]


def photo(path: Path, levels: np.ndarray = PHOTO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Image.from_array(levels))
    return path


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_benchmarks_degradation(call: Call, tmp_path: Path) -> None:
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "in/deep/b.tif", PHOTO[::-1])
    status, out, err = call("degrade", tmp_path / "in", "-o", tmp_path / "out", "-s", 3)
    assert (status, out) == (0, "")
    lines = err.splitlines()
    assert lines[:3] == ["classical", f"1/2 {tmp_path}/out/a.png", f"2/2 {tmp_path}/out/deep/b.png"]
    assert lines[3].startswith("2 images: 0.0 megapixels in ")
    assert names(tmp_path / "out") == [
        "a.degradation.json", "a.png", "deep/b.degradation.json", "deep/b.png",
    ]  # fmt: skip
    assert np.array_equal(read(tmp_path / "out/a.png").to_array(), resize(PHOTO[:42, :54], 14, 18))
    assert np.array_equal(read(tmp_path / "out/deep/b.png").to_array(), resize(PHOTO[::-1][:42, :54], 14, 18))
    page = json.loads((tmp_path / "out/a.degradation.json").read_text())
    assert page.pop("seed") >= 0
    assert page == {"source": "a.png", "scale": 3, "degradation": d.to_dict(d.Downsample(3))}


def test_a_real_world_image_can_be_made_again(call: Call, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photo(tmp_path / f"in/{name}.png")
    arguments = ["degrade", tmp_path / "in", "--preset", "real-world", "-s", 2]
    assert call(*arguments, "-o", tmp_path / "out", "--seed", 7)[0] == 0
    made = {name: read(tmp_path / f"out/{name}.png").to_array() for name in "abc"}
    assert made["a"].shape == (21, 27, 3)
    assert not np.array_equal(made["a"], made["b"])
    for name in "abc":
        page = tmp_path / f"out/{name}.degradation.json"
        assert call("degrade", tmp_path / "in/a.png", "-o", tmp_path / "again", "--replay", page, "--overwrite")[0] == 0
        assert np.array_equal(read(tmp_path / "again/a.png").to_array(), made[name])
        again = json.loads((tmp_path / "again/a.degradation.json").read_text())
        assert {**again, "source": f"{name}.png"} == json.loads(page.read_text())
        record = read_applied(page)
        assert record.degradation.sample(np.random.default_rng(9)) == record.degradation  # nothing is left to chance
    (tmp_path / "in/b.png").unlink()  # the others stay what they are
    assert call(*arguments, "-o", tmp_path / "fewer", "--seed", 7)[0] == 0
    assert np.array_equal(read(tmp_path / "fewer/c.png").to_array(), made["c"])
    assert call(*arguments, "-o", tmp_path / "other", "--seed", 8)[0] == 0
    assert not np.array_equal(read(tmp_path / "other/c.png").to_array(), made["c"])


@pytest.mark.parametrize("inside", [True, False])
def test_a_recipe(call: Call, tmp_path: Path, inside: bool) -> None:
    source = photo(tmp_path / "a.png")
    (tmp_path / "r.toml").write_text(
        ("[degradation]\n" if inside else "") + 'kind = "Downsample"\nscale = 4\nkernel = "area"\n'
    )
    assert call("degrade", source, "-o", tmp_path / "out", "--recipe", tmp_path / "r.toml")[0] == 0
    expected = d.Downsample(4, "area").apply(read(source).pixels, np.random.default_rng(0))
    assert np.array_equal(read(tmp_path / "out/a.png").to_array(), np.round(255 * expected))  # 43 -> 11: not cut
    assert call("degrade", source, "-o", tmp_path / "cut", "--recipe", tmp_path / "r.toml", "-s", 4)[0] == 0
    assert read(tmp_path / "cut/a.png").to_array().shape == (10, 13, 3)


def test_every_image_has_its_own_noise_from_the_seed_on_its_page(call: Call, tmp_path: Path) -> None:
    for name in ("a", "b"):
        photo(tmp_path / f"in/{name}.png")
    (tmp_path / "r.toml").write_text('kind = "GaussianNoise"\nsigma = 0.1\n')
    assert call("degrade", tmp_path / "in", "-o", tmp_path / "out", "--recipe", tmp_path / "r.toml")[0] == 0
    made = {name: read(tmp_path / f"out/{name}.png").to_array() for name in "ab"}
    for name, levels in made.items():
        seed = json.loads((tmp_path / f"out/{name}.degradation.json").read_text())["seed"]
        noise = np.float32(0.1) * np.random.default_rng(seed).standard_normal(PHOTO.shape, np.float32)
        expected = np.clip(PHOTO / np.float32(255) + noise, 0, 1)
        assert np.array_equal(levels, np.floor(255 * expected + np.float32(0.5)))
    assert not np.array_equal(made["a"], made["b"])


def test_alpha_gray_and_depth(call: Call, tmp_path: Path) -> None:
    deep = PHOTO.astype(np.uint16) * 257
    photo(tmp_path / "in/a.png", np.dstack([PHOTO, PHOTO[..., :1]]))
    photo(tmp_path / "in/b.png", deep[..., :1])
    assert call("degrade", tmp_path / "in", "-o", tmp_path / "out", "--format", "tif")[0] == 0
    expected = resize(PHOTO[:42, :54], 21, 27)
    assert np.array_equal(read(tmp_path / "out/a.tif").to_array(), np.dstack([expected, expected[..., :1]]))
    assert np.array_equal(read(tmp_path / "out/b.tif").to_array(), expected[..., 0])


def test_what_exists_is_kept_and_a_broken_file_does_not_stop_the_rest(call: Call, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        photo(tmp_path / f"in/{name}.png")
    (tmp_path / "in/b.png").write_bytes(b"\x89PNG nothing")
    photo(tmp_path / "in/d.png", PHOTO[:1])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.png").write_text("kept")
    status, out, err = call("degrade", tmp_path / "in", "-o", tmp_path / "out")
    assert (status, out) == (1, "")
    assert "1 skipped, for the result exists" in err
    assert err.splitlines()[-2].startswith(f"  cannot read {tmp_path}/in/b.png: it is damaged")
    assert err.splitlines()[-1] == f"  {tmp_path}/in/d.png: 55x1 pixels; expected at least 2 a side"
    assert (tmp_path / "out/a.png").read_text() == "kept"
    assert names(tmp_path / "out") == ["a.png", "c.degradation.json", "c.png"]


@pytest.mark.parametrize(("arguments", "words"), [
    (["a.png", "-o", "out", "--preset", "real"], "unknown preset 'real'; did you mean 'real-world'?"),
    (["a.png", "-o", "out", "--preset", "classical", "--recipe", "r.toml"], "contradict each other"),
    (["a.png", "-o", "out", "--replay", "a.degradation.json", "--seed", "1"], "leave -s and --seed away"),
    (["a.png", "-o", "out", "--recipe", "missing.toml"], "cannot read missing.toml: no such file\n"),
    (["a.png", "-o", "out", "--recipe", "r.toml"], "r.toml: degradation.sigm: unknown name 'sigm'; did you"),
    (["a.png", "-o", "out", "--replay", "r.toml"], "r.toml: degradation.sigm"),
    (["a.png", "-o", "out", "--replay", "no-seed.json"], "no-seed.json: seed: None; expected a whole number from 0"),
    (["a.png", "-o", "out", "--replay", "a.png"], "cannot read a.png: it is no text; expected a TOML or JSON page"),
    (["missing.png", "-o", "out"], "cannot read missing.png: no such file"),
    (["a.png", "-o", "a.png"], "a.png is an input and would be overwritten"),
    (["a.png", "-o", "-"], "a stream has no place"),
    (["*.webp", "-o", "out"], "no images in *.webp"),
])  # fmt: skip
def test_misuse_is_one_line(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "a.png")
    (tmp_path / "r.toml").write_text('kind = "GaussianBlur"\nsigm = 1.0\n')
    (tmp_path / "no-seed.json").write_text(json.dumps({"scale": 2, "degradation": d.to_dict(d.Downsample(2))}))
    status, out, err = call("degrade", *arguments)
    assert (status, out) == (2, "")
    assert words in err
    assert err.startswith("subpixel: ")
    assert err.count("\n") == 1
    assert names(tmp_path) == ["a.png", "no-seed.json", "r.toml"]


def test_the_help_names_every_preset(call: Call) -> None:
    words = set(call("degrade", "--help")[1].replace(",", " ").replace(".", " ").split())
    assert set(d.PRESETS) <= words


def test_a_folder_that_cannot_be_written_to(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, _, err = call("degrade", photo(tmp_path / "a.png"), "-o", tmp_path / "file/out")
    assert status == 2
    assert err == f"subpixel: cannot write {tmp_path}/file/out: the folder cannot be made: not a directory\n"

"""`subpixel data check`: every image that cannot be used is named, and the status says whether there is one."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel.images import Image, write

Call = Callable[..., tuple[int, str, str]]


def save(path: Path, height: int, width: int, channels: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.random.default_rng(height * width).integers(0, 256, (height, width, channels), dtype=np.uint8)
    write(path, Image.from_array(levels))


def test_good_photos(call: Call, tmp_path: Path) -> None:
    save(tmp_path / "a.png", 100, 100)
    save(tmp_path / "deep/b.png", 96, 200)
    assert call("data", "check", tmp_path, "--patch", 48) == (0, "2 images, 0.0 megapixels: 0 unusable, 0 gray\n", "")
    status, out, _ = call("data", "check", tmp_path, "--patch", 48, "-s", 3)
    assert status == 1
    assert out.splitlines() == [
        f"{tmp_path}/a.png: 100x100 pixels; expected at least 144 a side in HR",
        f"{tmp_path}/deep/b.png: 200x96 pixels; expected at least 144 a side in HR",
        "2 images, 0.0 megapixels: 2 unusable, 0 gray",
    ]


def test_everything_that_can_be_wrong(call: Call, tmp_path: Path) -> None:
    for name in ("good", "wrong", "broken", "alone"):
        save(tmp_path / f"HR/{name}.png", 1000, 1000)
    save(tmp_path / "HR/gray.png", 1000, 1000, 1)
    same = np.full((1000, 1000, 3), 7, np.uint8)
    write(tmp_path / "HR/rgb-gray.png", Image.from_array(same))
    for name in ("good", "broken", "gray", "rgb-gray"):
        save(tmp_path / f"LR/{name}.png", 250, 250)
    save(tmp_path / "LR/wrong.png", 250, 251)
    save(tmp_path / "LR/stray.png", 250, 250)
    whole = (tmp_path / "HR/broken.png").read_bytes()
    (tmp_path / "HR/broken.png").write_bytes(whole[: len(whole) // 2])  # the header is fine
    status, out, err = call("data", "check", tmp_path)
    assert (status, err) == (1, "")
    lines = dict(line.split(": ", 1) for line in out.splitlines())
    assert lines.pop(f"{tmp_path}/HR/broken.png").startswith("it is damaged")
    assert lines == {
        f"{tmp_path}/HR/gray.png": "warning: gray",
        f"{tmp_path}/HR/rgb-gray.png": "warning: gray",
        f"{tmp_path}/LR/wrong.png": f"251x250 pixels; expected 250x250, 1/4 of {tmp_path}/HR/wrong.png",
        f"{tmp_path}/LR/stray.png": "there is no HR image of that name",
        f"{tmp_path}/HR/alone.png": "there is no LR image of that name",
        "12 images, 5.3 megapixels": "4 unusable, 2 gray",
    }


def test_gray_alone_is_only_a_warning(call: Call, tmp_path: Path) -> None:
    save(tmp_path / "a.png", 100, 100, 1)
    status, out, _ = call("data", "check", tmp_path)
    assert (status, out.splitlines()[0]) == (0, f"{tmp_path}/a.png: warning: gray")


def test_a_zip_in_which_sizes_disagree(call: Call, tmp_path: Path) -> None:
    save(tmp_path / "DIV2K_valid_HR/0801.png", 60, 90)
    save(tmp_path / "DIV2K_valid_LR_bicubic/X3/0801x3.png", 20, 31)
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(tmp_path.rglob("*.png")):
            file.write(path, path.relative_to(tmp_path))
    status, out, _ = call("data", "check", archive)
    assert status == 1
    low, high = (f"{archive}/DIV2K_valid_{name}" for name in ("LR_bicubic/X3/0801x3.png", "HR/0801.png"))
    assert out.splitlines()[0] == f"{low}: 31x20 pixels; expected 30x20, 1/3 of {high}"


@pytest.mark.parametrize("arguments", [["missing"], ["."], ["--patch", "0", "."], ["HR", "-s", "4"]])
def test_misuse(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "HR").mkdir()
    status, out, err = call("data", "check", *arguments)
    assert (status, out) == (2, "")
    assert err


def test_a_scale_that_is_not_there(call: Call, tmp_path: Path) -> None:
    save(tmp_path / "HR/a.png", 60, 90)
    save(tmp_path / "LR_x2/a.png", 30, 45)
    assert call("data", "check", tmp_path)[0] == 0
    words = f"subpixel: {tmp_path} has low resolution for x2, not for x4; name its HR folder alone to have it made\n"
    assert call("data", "check", tmp_path, "-s", 4) == (2, "", words)

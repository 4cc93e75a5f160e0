"""`subpixel burst`: what it writes, what it says, and misuse in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel import Image, read, write
from subpixel.benchmarks.burst import Setting, make_burst

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shots(examples: Path, tmp_path: Path) -> list[Path]:
    truth = np.ascontiguousarray(read(examples / "astronaut.jpg").pixels[148:276, 138:266])
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, frame in zip(
        paths, make_burst(truth, Setting("", 3, noise=2), 2, np.random.default_rng(5))[0], strict=True
    ):
        write(path, Image.from_array(frame))
    return paths


def test_a_burst(call: Call, shots: list[Path], tmp_path: Path) -> None:
    target, unsure = tmp_path / "out.png", tmp_path / "unsure.tif"
    status, out, err = call("burst", *shots, "-o", target, "--psf", "0.4", "--uncertainty", unsure)
    assert (status, out) == (0, "")
    assert err.startswith(f"{target}: 3 of 3 frames on {tmp_path}")
    assert "they alias (blur 0.40 px" in err
    assert err.count("\n") == 1
    assert (read(target).width, read(unsure).channels) == (128, 1)
    assert call("burst", *shots, "-o", target) == (2, "", f"subpixel: {target} exists; --overwrite replaces it\n")
    assert call("burst", *shots, "-o", target, "--overwrite", "-q", "-m", "bicubic", "-s", "1.5")[::2] == (0, "")
    assert read(target).width == 96


def test_misuse(call: Call, shots: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.png"
    assert "would be overwritten" in call("burst", *shots, "-o", shots[1], "--overwrite")[2]
    assert "expected auto or a number of pixels" in call("burst", *shots, "-o", target, "--psf", "wide")[2]
    assert "the time 'noon'; expected seconds" in call("burst", shots[0], "-o", target, "--at", "noon")[2]
    said = "subpixel: Invalid value for --frames: 3 frames of a clip; say its moment with --at"
    assert call("burst", *shots, "-o", target, "--frames", "3") == (2, "", f"{said}; see subpixel burst --help\n")
    said = f"subpixel: {target} would be the image and its uncertainty; give one of them another name\n"
    assert call("burst", *shots, "-o", target, "--uncertainty", target) == (2, "", said)
    assert call("burst", shots[0], "-o", target)[::2] == (
        2,
        "subpixel: 1 frame; a burst needs at least 2 (for one image: subpixel upscale)\n",
    )
    assert not target.exists()


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_where_one_frame_remains_it_is_no_fusion(
    call: Call, shots: list[Path], tmp_path: Path, quiet: tuple[str, ...]
) -> None:
    """The image is there, the status is 1, and it is said in any case."""
    target, copy = tmp_path / "out.png", tmp_path / "copy.png"
    copy.write_bytes(shots[0].read_bytes())
    said = f"{target}: 1 of 2 frames on {shots[0]}; nothing to fuse it with: that one enlarged; "
    said += f"{copy}: it is the same as {shots[0]}\n"
    assert call("burst", shots[0], copy, "-o", target, "-m", "bicubic", *quiet) == (1, "", said)
    assert read(target).width == 128


def test_a_clip_needs_a_moment(call: Call, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    clip.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100))
    assert call("burst", clip, "-o", tmp_path / "out.png") == (
        2,
        "",
        f"subpixel: cannot read {clip}: it is a video; `subpixel video` enlarges it, "
        "`subpixel burst --at TIME` a moment\n",
    )

"""Planes, siting and matrices against hand-computed cases, OpenCV and swscale."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import Clip, make, planes_of

from subpixel.resample import along_columns, resize
from subpixel.video.colours import Colours, span, to_codes, to_rgb, to_ycc
from subpixel.video.enlarging import rgb_image
from subpixel.video.planes import Grid, Layout, frame_of, planes
from subpixel.video.source import probe

PLANAR = [
    "yuv420p",
    "yuvj420p",
    "yuv411p",
    "yuv440p",
    "yuv422p10le",
    "yuva444p12le",
    "gray",
    "gray16le",
    "gbrp",
    "gbrap10le",
]
PACKED = {"nv12": "yuv420p", "p010le": "yuv420p10le", "yuyv422": "yuv422p", "rgb24": "gbrp", "bgra": "gbrap",
          "pal8": "gbrap", "rgb48be": "gbrp16le", "gray10be": "gray10le", "y210le": "yuv422p10le"}  # fmt: skip


def layout(name: str) -> Layout:
    return Layout.of(av.VideoFormat(name, 64, 48))


@pytest.mark.parametrize("name", PLANAR)
def test_planes_go_into_frames_and_back(name: str) -> None:
    arrays = planes_of(3, layout(name), (27, 33))
    frame = frame_of(arrays, layout(name))
    assert frame.format.name == name.replace("yuvj", "yuv")
    for before, after in zip(arrays, planes(frame, layout(name)), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("name", "planar"), PACKED.items())
def test_packed_formats_become_planar(name: str, planar: str) -> None:
    assert layout(name).name == planar


def test_packed_planes_keep_their_codes() -> None:
    codes = np.arange(48 * 64, dtype=np.uint32).reshape(48, 64) % 1021
    arrays = [codes.astype(np.uint16), *(codes[::2, ::2].astype(np.uint16) + k for k in (1, 2))]
    packed = frame_of(arrays, layout("yuv420p10le")).reformat(format="p010le")
    for before, after in zip(arrays, planes(packed, layout("p010le")), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5])
def test_a_ramp_of_chroma_stays_where_it_is(centred: bool, scale: float) -> None:
    """Chroma that says where it lies, in pixels of luma, says it after the enlargement too."""
    grid = Grid.of(1, centred)
    source = 2.0 * np.arange(20) + (0.5 if centred else 0.0)
    target = round(20 * scale)
    taps = grid.taps(20, target, scale, grid)
    moved = along_columns(source[None, :, None], taps)[0, :, 0]
    expected = (2 * np.arange(target) + (0.5 if centred else 0.0) + 0.5) / scale - 0.5
    np.testing.assert_allclose(moved[5:-5], expected[5:-5], atol=1e-9)


def test_chroma_at_the_middle_is_plain_bicubic() -> None:
    plane = np.random.default_rng(0).random((1, 16, 1))
    grid = Grid.of(1, True)
    moved = along_columns(plane, grid.taps(16, 32, 2.0, grid))
    np.testing.assert_allclose(moved, resize(plane, 1, 32), atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "rgb", "y", "cb", "cr"),
    [
        (1, (1, 0, 0), 0.2126, -0.114572, 0.5),
        (6, (0, 0, 1), 0.114, 0.5, -0.081312),
        (9, (0, 1, 0), 0.678, -0.360370, -0.459786),
    ],
)
def test_matrices(matrix: int, rgb: tuple[float, ...], y: float, cb: float, cr: float) -> None:
    """BT.709, BT.601 and BT.2020 for a pure colour, as their recommendations print them."""
    weights = Colours(matrix=matrix).weights(1080)
    found = to_ycc(np.array([[rgb]], np.float32), weights)
    assert [float(value[0, 0]) for value in found] == pytest.approx([y, cb, cr], abs=2e-6)
    np.testing.assert_allclose(to_rgb(*found, weights)[0, 0], rgb, atol=1e-6)


def test_codes_of_black_and_white() -> None:
    assert span(8, False, chroma=False) == (16, 219)
    assert span(10, False, chroma=True) == (512, 896)
    assert span(8, True, chroma=True) == (128, 255)
    assert to_codes(np.array([-3.0, 16.5, 999.0]), 8).tolist() == [0, 17, 255]


def test_rgb_of_a_frame_is_that_of_swscale(tmp_path: Path) -> None:
    """4:4:4, so that only matrix and range matter."""
    source = make(tmp_path, Clip("a.mkv", "ffv1", "yuv444p", tags={"colorspace": 1, "color_range": 1}))
    with av.open(str(source)) as file:
        frame = next(file.decode(video=0))
    theirs = frame.to_ndarray(format="rgb48le", src_colorspace="itu709", interpolation="ACCURATE_RND") / 65535
    ours = rgb_image(planes(frame, layout("yuv444p")), probe(source))
    assert np.abs(ours - np.clip(theirs, 0, 1)).mean() < 0.002


def test_what_a_source_is(tmp_path: Path) -> None:
    clip = Clip("a.mkv", times=(0, 10, 30, 1000), aspect=Fraction(16, 11), tags={"colorspace": 6, "color_range": 1})
    source = probe(make(tmp_path, clip))
    assert (source.height, source.width, source.layout.name) == (48, 64, "yuv420p")
    assert (source.aspect, source.colours.matrix, source.colours.range) == (Fraction(16, 11), 6, 1)
    assert source.centred == (True, False)
    assert not source.dropped

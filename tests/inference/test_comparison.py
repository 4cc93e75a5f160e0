"""The side-by-side image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageFont

from subpixel.errors import BadRequest
from subpixel.images import Colour, Image, Metadata
from subpixel.images.profiles import fitted, profile_of
from subpixel.inference import comparison
from subpixel.inference.comparison import Box, compare, detailed

PHOTO = Image.from_array(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))


def test_the_default_detail_is_where_most_happens() -> None:
    pixels = np.zeros((60, 80, 3), np.float32)
    pixels[30:42, 50:62] = np.random.default_rng(0).random((12, 12, 3), dtype=np.float32)
    box = detailed(pixels, 14)
    assert (box.width, box.height) == (14, 14)
    assert box.x <= 50 < 62 <= box.x + 14
    assert box.y <= 30 < 42 <= box.y + 14
    assert detailed(np.zeros((3, 5, 1), np.float32), 3).width == 3


def test_boxes() -> None:
    assert Box.parse("1, 2,30,4") == Box(1, 2, 30, 4)
    assert Box(3, 5, 7, 2).times(2) == Box(6, 10, 14, 4)
    assert Box(10, 11, 4, 1).times(0.25) == Box(2, 3, 2, 1)
    for text in ("1,2,3", "1,2,0,4", "-1,2,3,4", "a", ""):
        with pytest.raises(BadRequest, match="expected X,Y,WIDTH,HEIGHT"):
            Box.parse(text)


def test_panels_show_the_pixels_of_the_detail() -> None:
    """Every pixel of the input's panel is one of the photo's, magnified by a whole number."""
    drawn = compare(PHOTO, ["nearest"], scale=2, crop=Box(20, 10, 32, 32)).to_array()
    photo, zoom = PHOTO.to_array(), 6
    wanted = photo[10:42, 20:52].repeat(2 * zoom, 0).repeat(2 * zoom, 1)
    top = comparison._MARGIN
    starts = [x for x in range(drawn.shape[1] - 384) if np.array_equal(drawn[top : top + 384, x : x + 384], wanted)]
    assert len(starts) == 2  # input, nearest
    assert starts[1] - starts[0] == 2 * (384 + comparison._MARGIN)


def test_reduced_and_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[comparison._Panel] = []
    draw = comparison._draw
    monkeypatch.setattr(
        comparison, "_draw", lambda p, m, panels, *rest: seen.extend(panels) or draw(p, m, panels, *rest)
    )
    smooth = np.linspace(0, 1, 91 * 121, dtype=np.float32).reshape(91, 121, 1)
    compare(Image(smooth), ["lanczos"], scale=3, reduce=True)
    assert [p.name for p in seen] == ["input", "bicubic", "lanczos", "original"]
    scores = [p.score for p in seen[:3]]
    assert seen[3].score is None
    assert all(s is not None for s in scores)
    assert scores[1] > scores[0] + 3  # a ramp: bicubic is nearly exact, nearest is not
    assert [p.detail.shape for p in seen] == [(30, 30, 1), *[(90, 90, 1)] * 3]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (5, 3)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiny_and_odd_images(shape: tuple[int, int], channels: int) -> None:
    photo = Image.from_array(np.full((*shape, channels), 200, np.uint8))
    drawn = compare(photo, ["lanczos"], title="a very long name of a very small photo, with ünïcode.png")
    assert drawn.to_array().shape[2] == 3


def test_what_is_refused() -> None:
    with pytest.raises(BadRequest, match="leaves the photo of 120 x 90"):
        compare(PHOTO, [], crop=Box(100, 10, 32, 32))
    with pytest.raises(BadRequest, match="smaller than the scale"):
        compare(Image(PHOTO.pixels[:1]), [], reduce=True)


@pytest.mark.parametrize("size", [17, 22])
def test_a_name_is_written_in_letters_that_the_font_has(size: int) -> None:
    font = ImageFont.load_default(size)
    assert comparison._drawable("Fu\u0308ße é.png", font) == "Fu?e e.png"
    assert comparison._drawable("фото 日本.png", font) == "???? ??.png"
    assert comparison._drawable("a\n\udcff", font) == r"a\n\xff"


def test_a_name_in_another_script_leaves_no_boxes() -> None:
    drawn, same = (compare(PHOTO, ["nearest"], title=title).to_array() for title in ("фото.png", "????.png"))
    assert np.array_equal(drawn, same)


def test_a_gray_profile_says_of_the_drawn_colours_what_it_said_of_gray() -> None:
    wide = profile_of(Colour(cicp=(12, 8, 0, 1)))  # linear light
    assert wide
    gray = fitted(wide, gray=True)
    assert gray
    drawn = compare(Image(PHOTO.pixels[..., :1], metadata=Metadata(icc=gray)), ["nearest"])
    assert drawn.metadata.icc == fitted(gray, gray=False)
    assert compare(Image(PHOTO.pixels, metadata=Metadata(icc=wide)), ["nearest"]).metadata.icc == wide

"""Frames as players show them: each turn and mirroring, and the shape of a pixel that turns with it."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest

from subpixel.images.video_frames import Turn

_ONE = 1 << 16
_PIXELS = np.arange(6).reshape(2, 3)


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
@pytest.mark.parametrize("transposed", [False, True])
def test_pixels_go_where_the_matrix_sends_them(signs: tuple[int, int], transposed: bool) -> None:
    """All eight: x' = a x + c y and y' = b x + d y, moved into view."""
    p, q = (_ONE * sign for sign in signs)
    a, b, c, d = (0, p, q, 0) if transposed else (p, 0, 0, q)
    turn = Turn.of(struct.pack("=9i", a, b, 0, c, d, 0, 640 * _ONE, -7, 1 << 30))
    y, x = np.indices(_PIXELS.shape)
    across, down = (place // _ONE for place in (a * x + c * y, b * x + d * y))
    across, down = across - across.min(), down - down.min()
    expected = np.zeros((down.max() + 1, across.max() + 1), int)
    expected[down, across] = _PIXELS
    assert turn.upright(_PIXELS).tolist() == expected.tolist()
    assert turn.upright(np.dstack([_PIXELS] * 3)).shape == (*expected.shape, 3)
    assert turn.aspect(Fraction(16, 15)) == (Fraction(15, 16) if transposed else Fraction(16, 15))


def test_without_a_matrix_nothing_is_turned() -> None:
    assert Turn.of(None).upright(_PIXELS).tolist() == _PIXELS.tolist()

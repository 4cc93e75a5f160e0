"""The drawings in pure colours."""

from __future__ import annotations

import numpy as np

from zoo.colours import COLOURS, SIDE, drawing


def test_most_of_each_drawing_is_one_pure_colour_and_its_rim_lies_between_two() -> None:
    assert len(np.unique(COLOURS, axis=0)) == 27
    for number in range(27):
        levels = np.asarray(drawing(number))
        assert levels.shape == (SIDE, SIDE, 3)
        assert (levels == COLOURS[number]).all(2).mean() > 1 - np.pi * (90 / SIDE) ** 2  # all but the disc
        extremes = levels.min((0, 1)), levels.max((0, 1))
        assert np.isin(extremes, (0, 128, 255)).all()

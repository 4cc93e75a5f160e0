"""What a checkpoint of an older version says of its recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from subpixel.errors import DataError
from subpixel.training import recipe
from subpixel.training.resumption import changes, origin


def test_a_key_that_was_not_known_yet_has_its_default():
    settings = recipe.load("swift-x2")
    now = origin(settings, {})
    older = json.loads(now["recipe"])
    del older["loss"]["output"]
    assert changes(Path("last"), {"recipe": json.dumps(older)}, now) == []
    older["optim"]["lr"] = 0.5
    assert changes(Path("last"), {"recipe": json.dumps(older)}, now) == [f"optim.lr was 0.5 and is {settings.optim.lr}"]


def test_a_key_that_is_not_known_any_more():
    now = origin(recipe.load("swift-x2"), {})
    older = json.loads(now["recipe"]) | {"magic": 1}
    with pytest.raises(DataError, match="take another run folder"):
        changes(Path("last"), {"recipe": json.dumps(older)}, now)

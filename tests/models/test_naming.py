"""What a user may call the models."""

from __future__ import annotations

import pytest

from subpixel import models
from subpixel.errors import BadRequest, UnknownName
from subpixel.inference.choice import family
from subpixel.models.naming import matching_models

KNOWN = [
    "edsr-base-x2",
    "edsr-base-x4",
    "ms-lapsrn-x8",
    "srgan-x4",
    "carn-x2",
    "carn-m-x2",
    "swift-large-x2",
    "swift-x2",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("swift", "swift-x2"),
        ("swift-x2", "swift-x2"),
        ("edsr", "edsr-base-x2 edsr-base-x4"),
        ("EDSR-base", "edsr-base-x2 edsr-base-x4"),
        ("EDSRx4", "edsr-base-x4"),
        ("edsr_x2", "edsr-base-x2"),
        ("edsr-base-x2", "edsr-base-x2"),
        ("MSLapSRN", "ms-lapsrn-x8"),
        ("SRGAN", "srgan-x4"),
        ("CARN_M", "carn-m-x2"),
        ("carn", "carn-x2"),
        ("swift-x3", ""),
        ("lapsrn", ""),
        ("base", ""),
        ("x2", ""),
        ("", ""),
    ],
)
def test_a_name_means_a_model_or_a_family(text: str, found: str) -> None:
    assert matching_models(text, KNOWN) == found.split()


def test_every_door_knows_them() -> None:
    assert models.load("SRGAN").card.name == "srgan-x4"  # a family of one
    assert models.load("edsr-x3").card.name == "edsr-base-x3"
    assert family("EDSR") == {2: "edsr-base-x2", 3: "edsr-base-x3", 4: "edsr-base-x4"}
    with pytest.raises(BadRequest, match="name one of swift-x2, swift-x3, swift-x4"):
        models.load("swift")
    with pytest.raises(UnknownName, match="did you mean 'swift"):
        models.load("swfit")

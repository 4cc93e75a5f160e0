"""What is asked for in the query of a URL."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from subpixel.errors import BadRequest, UnknownName
from subpixel.service.query import parameters, parse_query

ASKED = {
    "model": ("swift", "swift"),
    "scale": ("2.5", 2.5),
    "size": ("1920x", "1920x"),
    "fit": ("true", True),
    "restoration.denoise": ("0", 0.0),
    "restoration.deblock": ("0.5", 0.5),
    "restoration.deblur": ("1", 1.0),
    "restoration.detail": ("0.25", 0.25),
    "restoration.grain": ("0.5", 0.5),
    "tta": ("1", True),
    "consistent": ("box", "box"),
    "bands": ("3,2,1", (3, 2, 1)),
    "window": ("8,0,64x32", "8,0,64x32"),
    "encoding.format": ("webp", "webp"),
    "encoding.quality": ("80", 80),
    "encoding.lossless": ("true", True),
    "encoding.compress": ("true", True),
    "codec": ("av1", "av1"),
    "quality": ("70", 70),
    "deinterlace": ("field", "field"),
    "start": ("1.5", 1.5),
    "stop": ("9", 9.0),
    "preview": ("5", 5.0),
}


def test_all_that_is_listed_can_be_asked_for() -> None:
    assert [parameter["name"] for parameter in parameters()] == list(ASKED)
    for name, (text, value) in ASKED.items():
        more = [("size", "9x9")] if name == "fit" else []
        found: Any = parse_query([(name, text), *more])
        for part in name.split("."):
            found = getattr(found, part)
        assert found == value, name


def test_what_is_listed_says_what_values_it_takes() -> None:
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters()}
    assert schemas["scale"] == {"type": "number"}  # null is said by leaving it out
    assert schemas["fit"] == {"type": "boolean", "default": False}
    assert schemas["restoration.denoise"]["anyOf"] == [{"type": "string", "const": "auto"}, {"type": "number"}]
    assert schemas["codec"]["enum"] == ["auto", "av1", "h264", "h265", "ffv1"]
    assert (schemas["quality"]["minimum"], schemas["quality"]["maximum"]) == (1, 100)
    assert all("type" in schema or "anyOf" in schema for schema in schemas.values())
    bands = next(parameter for parameter in parameters() if parameter["name"] == "bands")
    assert (bands["schema"]["type"], bands["style"], bands["explode"]) == ("array", "form", False)  # 3,2,1


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([("scal", "2")], "unknown parameter 'scal'; did you mean 'scale'?"),
        ([("encoding.qualty", "2")], "unknown parameter 'encoding.qualty'; did you mean 'encoding.quality'?"),
        ([("restoration", "1")], "unknown parameter 'restoration'; did you mean 'restoration.grain'?"),
        ([("x" * 999, "1")], f"unknown parameter '{'x' * 40}'; known: {', '.join(sorted(ASKED))}"),
        ([("scale", "2"), ("scale", "2")], "scale is given twice"),
        ([("encoding.quality", "2"), ("encoding.quality", "3")], "encoding.quality is given twice"),
        ([("execution.threads", "2")], "execution.threads is not asked for over the network; the server decides"),
        ([("window", "8,0,64")], "window '8,0,64'; expected X,Y,WIDTHxHEIGHT in whole pixels, such as 100,0,512x512"),
        ([("bands", "1,x")], "bands.1: Input should be a valid integer, unable to parse string as an integer, not 'x'"),
    ],
)
def test_what_makes_no_sense_is_told(items: list[tuple[str, str]], said: str) -> None:
    with pytest.raises((BadRequest, UnknownName)) as refused:
        parse_query(items)
    assert str(refused.value) == said

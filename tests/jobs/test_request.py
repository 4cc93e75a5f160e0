"""A request is one value: it goes through JSON unchanged, and what is wrong with it is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subpixel import Encoding, Execution, Request, Restoration
from subpixel.errors import BadRequest
from subpixel.ports import Shape


def test_it_goes_through_json_unchanged() -> None:
    request = Request(
        model="espcn",
        size="1920x",
        fit=True,
        tile=64,
        tta=True,
        execution=Execution("onnxruntime", "f32", 2, "cpu"),
        encoding=Encoding("webp", 80, lossless=True, compress=True),
    )
    assert Request.parse(request.model_dump_json()) == request
    assert Request.parse(request.model_dump()) == request
    assert Request.parse("{}") == Request()


def test_whole_numbers_are_taken_where_any_are(recwarn: pytest.WarningsRecorder) -> None:
    request = Request(restoration=Restoration(denoise=1, deblur=0))
    assert Request.parse(request.model_dump_json()) == request
    assert not recwarn.list


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scael": 2}, "scael: Extra inputs"),
        ({"scale": "large"}, "scale: Input should be a valid number"),
        ({"scale": 2, "size": "9x9"}, "give one of the two"),
        ({"size": "big"}, "expected WIDTHxHEIGHT"),
        ({"tile": 3}, "tile 3; expected auto, 0 for the whole image, or 16 or more"),
        ({"bands": [2, 0]}, "bands .2, 0.; expected numbers such as"),
        ({"encoding": {"quality": 0}}, "encoding: quality 0; expected 1 to 100"),
        ({"encoding": {"quality": 80, "format": "png"}}, "quality 80: PNG has none; choose jpg, webp or avif"),
        ({"encoding": {"quality": 80, "format": "TIFF"}}, "quality 80: TIFF has none"),
        ({"encoding": {"qualty": 9}}, "encoding.qualty: "),
        ({"execution": {"threads": 0}}, "execution: threads is 0"),
        ("{", "Invalid JSON"),
    ],
)
def test_what_is_wrong_is_one_line(given: Any, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as caught:
        Request.parse(given)
    assert "\n" not in str(caught.value)


def test_the_upscaler_is_what_was_asked_for() -> None:
    with Request(model="bicubic", scale=2.5).upscaler() as upscaler:
        assert upscaler.prepare(Shape(10, 20, 3)).describe() == "bicubic to 50x25"


def test_a_result_belongs_to_the_request_and_to_the_models_files(tmp_path: Path) -> None:
    swift = Request(model="swift", scale=2)
    assert swift.identity == Request(model="swift", scale=2, tile=64, execution=Execution(threads=1)).identity
    others = [
        Request(model="swift", scale=3), Request(model="espcn", scale=2), Request(scale=2),
        Request(model="swift", scale=2, tta=True), Request(model="swift", scale=2, encoding=Encoding(quality=80)),
        Request(model="swift", scale=2, execution=Execution(precision="f32")),
    ]  # fmt: skip
    assert len({request.identity for request in [swift, *others]}) == 1 + len(others)
    own = tmp_path / "own.onnx"
    own.write_bytes(b"one")
    before = Request(model=str(own)).identity
    own.write_bytes(b"two")
    assert Request(model=str(own)).identity != before

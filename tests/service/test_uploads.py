"""Bodies on their way to the disk."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from starlette.requests import Request

from subpixel.service import uploads
from subpixel.service.problems import Refusal, refusal
from subpixel.service.uploads import received, stated_length

BOUNDARY = b"----b"
FORM = "multipart/form-data; boundary=----b"


def part(name: bytes, content: bytes, file: bytes | None = None) -> bytes:
    of_file = b'; filename="' + file + b'"' if file is not None else b""
    header = b'Content-Disposition: form-data; name="' + name + b'"' + of_file
    return b"\r\n".join([b"--" + BOUNDARY, header, b"", content, b""])


END = b"--" + BOUNDARY + b"--\r\n"


def receive(path: Path, chunks: list[Any], kind: str = "image/png", most: int = 1000) -> bytes:
    """What lies on the disk within the block; a number in place of a chunk is a pause, None a cut connection."""
    coming = iter(chunks)

    async def arrive() -> Any:
        chunk = next(coming, b"")
        while isinstance(chunk, float):
            await asyncio.sleep(chunk)
            chunk = next(coming, b"")
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    headers = [(b"content-type", kind.encode())]
    request = Request({"type": "http", "method": "POST", "headers": headers}, arrive)

    async def body() -> bytes:
        async with received(request, path, most) as upload:
            content = upload.path.read_bytes()
            assert upload.bytes == len(content)
            assert upload.digest == hashlib.sha256(content).hexdigest()
            return content

    try:
        return asyncio.run(body())
    finally:
        assert not path.exists()


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_body_or_the_file_of_a_form_whatever_its_pieces(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) + b"\r\n--" + BOUNDARY[:-1] + b"\r\n"
    form = part(b"image", content, b"a.png") + part(b"empty", b"") + END

    def pieces(whole: bytes) -> list[bytes]:
        return [whole[k : k + size] for k in range(0, len(whole), size)]

    assert receive(tmp_path / "x", pieces(content)) == content
    for kind in (FORM, FORM.replace("multipart/form-data", "Multipart/Form-Data")):
        assert receive(tmp_path / "x", pieces(form), kind) == content


@pytest.mark.parametrize(
    ("chunks", "kind", "said"),
    [
        ([], "image/png", "the body is empty"),
        ([b"abc", None], "image/png", "the body is cut"),
        ([b"x" * 600, b"x" * 600], "image/png", "more than 1,000 bytes"),
        ([part(b"a", b"x" * 1001, b"a.png"), END], FORM, "more than 1,000 bytes"),
        ([part(b"a", b"x", b"a.png")], FORM, "the form is cut"),
        ([part(b"a", b"x", b"a.png"), part(b"b", b"x", b"b.png"), END], FORM, "two files"),
        ([part(b"a", b"x"), END], FORM, "the form has fields"),
        ([part(b"a", b"") * 5, END], FORM, "too many parts"),
        ([b"nothing"], "multipart/form-data", "without a boundary"),
        ([b"no form at all"], FORM, "the form cannot be read"),
        ([END], FORM, "the form cannot be read|the body is empty"),
    ],
)
def test_what_is_refused(tmp_path: Path, chunks: list[Any], kind: str, said: str) -> None:
    with pytest.raises(Refusal, match=said):
        receive(tmp_path / "x", chunks, kind)


def test_a_length_is_what_the_sender_says_within_the_bound() -> None:
    def stated(*length: bytes) -> int | None:
        return stated_length(Request({"type": "http", "headers": [(b"content-length", each) for each in length]}), 1000)

    assert [stated(), stated(b"0"), stated(b"1000"), stated(b"66536")] == [None, 0, 1000, 66536]
    with pytest.raises(Refusal, match="more than 1,000 bytes") as refused:
        stated(b"66537")
    assert refused.value.problem.status == 413


def test_who_says_nothing_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PAUSE", 0.05)
    with pytest.raises(Refusal, match="too slowly"):
        receive(tmp_path / "x", [b"abc", 1.0, b"d"])
    with pytest.raises(Refusal, match="too slowly"):  # a byte now and then, for ever
        receive(tmp_path / "x", [b"x", 0.03] * 100)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """It shows when the upload is synced to be kept, within the block; a system may bound a file, too."""

    def full(path: Path) -> None:
        assert path.stat().st_size == 3
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", full)
    with pytest.raises(Refusal, match="no room") as refused:
        receive(tmp_path / "x", [b"abc"])
    assert (refused.value.kind, refused.value.headers) == ("disk-full", {"Retry-After": "60"})
    assert refusal(OSError(number, os.strerror(number))).kind == "disk-full"

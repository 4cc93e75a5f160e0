"""What one client takes of what all share: the disk, and the processes that make other formats."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra serve")

from served import Server, png
from starlette.requests import Request

from subpixel.jobs.queue import Queue
from subpixel.service import clock, results
from subpixel.service.orders import Order
from subpixel.service.problems import Refusal
from subpixel.service.records import Bounds, Record
from subpixel.service.service import Service
from subpixel.service.settings import Settings


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    queue = Queue(f"sqlite:///{tmp_path}/q.db")
    settings = Settings(tmp_path, max_upload=30, disk=100, per_client=3)
    settings.make_folders()
    made = Service(settings, queue)
    yield made
    made.close()
    queue.close()


def refused(service: Service, client: str, length: int | None) -> str | None:
    try:
        with service.receiving(client, length):
            return None
    except Refusal as error:
        return error.kind if "Retry-After" in error.headers else "for ever"


def test_uploads_on_their_way_are_bounded(service: Service) -> None:
    assert refused(service, "ann", 1000) is None  # alone: whether there is room is another question
    with service.receiving("ann", 5), service.receiving("ann", 5):
        assert refused(service, "ann", 5) is None
        with service.receiving("ann", 5):
            assert refused(service, "ann", 5) == "client-full"
            assert refused(service, "bob", 35) is None
            assert refused(service, "bob", 36) == "disk-full"
            with service.receiving("bob", None):  # 30, for it may be as large
                assert refused(service, "cy", 5) is None
                assert refused(service, "cy", 6) == "disk-full"
    assert refused(service, "bob", 36) is None


def test_a_format_is_made_once_however_many_ask(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    made, answers = list[str](), list[str]()

    async def perform(_: Any, order: Order) -> None:
        made.append(order.target)
        await asyncio.sleep(0.05)
        Path(order.target).write_bytes(b"")

    async def ask(client: str, target: str) -> None:
        try:
            await service.convert(Order("convert", target=str(service.settings.results / target)), client)
            answers.append("made")
        except Refusal as error:
            answers.append(error.kind)

    async def all_at_once() -> None:
        clients = ["ann"] * 4 + ["bob"] * 2 + ["cy"]
        await asyncio.gather(*(ask(client, "x.avif") for client in clients), ask("dan", "y.avif"))
        service._formats["ann"] = 9
        await ask("ann", "x.avif")  # it is there, whatever else she waits for
        del service._formats["ann"]

    monkeypatch.setattr(service, "_perform", perform)
    asyncio.run(all_at_once())
    assert [Path(target).name for target in made] == ["x.avif", "y.avif"]
    assert sorted(answers) == ["busy"] * 2 + ["made"] * 7
    assert not service._formats


def test_what_is_removed_meanwhile_is_not_handed_out(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.records.accept(Record("x", "ann", "{}", "PNG", 3, 2, 5, "png", 6, 4, clock.now()), Bounds(9, 9))
    service.records.change("x", ["waiting"], state="done", finished=clock.now(), bytes=5, etag="e")
    record, target = service.records.get("x"), service.settings.results / "x.webp"
    assert record
    (service.settings.results / "x.png").write_bytes(b"large")

    async def convert(*_: Any) -> None:
        service.discard(record)
        target.write_bytes(b"late")

    monkeypatch.setattr(service, "convert", convert)
    asked = Request({"type": "http", "headers": [(b"accept", b"image/webp")], "subpixel.client": "ann"})
    with pytest.raises(Refusal, match="send the image again"):
        asyncio.run(results.answer(service, asked, record))
    assert not list(service.settings.results.iterdir())


@pytest.fixture(scope="module")
def moving() -> bytes:
    """An animation."""
    buffer = io.BytesIO()
    first, second = (Image.new("RGB", (24, 16), colour) for colour in ("red", "blue"))
    first.save(buffer, "GIF", save_all=True, append_images=[second])
    return buffer.getvalue()


def test_the_next_best_format_is_taken_where_the_best_is_impossible(server: Server, moving: bytes) -> None:
    still = server.finished(server.submit(png(), "model=bicubic")["id"])["links"]["result"]
    clip = server.finished(server.submit(moving, "model=bicubic")["id"])["links"]["result"]
    two = [("Accept", "text/html"), ("Accept", "image/webp")]
    for result, accept, expected in [
        (still, [("Accept", "video/mp4, image/webp;q=0.5")], "image/webp"),
        (still, two, "image/webp"),
        (still, [("Accept", "video/*")], 406),
        (clip, [("Accept", "image/jpeg;q=0.9, image/webp;q=0.5")], "image/webp"),
        (clip, [("Accept", "image/jpeg")], 406),
    ]:
        answer = server.client.get(result, headers=accept)
        found = answer.headers["content-type"] if answer.status_code == 200 else answer.status_code
        assert found == expected, accept
    tag = server.client.get(still).headers["etag"]
    known = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert server.client.get(still, headers=known).status_code == 304
    at_once = server.client.post(
        "/v1/upscale?model=bicubic", content=moving, headers={"Accept": "image/jpeg;q=0.9, image/webp;q=0.5"}
    )
    assert (at_once.status_code, at_once.headers["content-type"]) == (200, "image/webp")

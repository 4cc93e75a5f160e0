"""gs:// and az://, against servers on loopback that speak as much of their languages as is needed here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import numpy as np
import pytest

pytest.importorskip("obstore", reason="needs the extra cloud")

from subpixel import Request
from subpixel.errors import UnreadableImage
from subpixel.images import Image, read, write
from subpixel.jobs import stores
from subpixel.jobs.batch import upscale_batch
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.pool import Finished, Passed
from subpixel.jobs.resumption import EXISTS, unfinished
from subpixel.jobs.staging import fetched

REQUEST = Request(model="bicubic", scale=2)
DATE, HTTP_DATE = "2026-01-02T03:04:05.000Z", "Fri, 02 Jan 2026 03:04:05 GMT"
GOOGLE = "<Contents><Key>{}</Key><LastModified>{}</LastModified><Size>{}</Size><ETag>e</ETag></Contents>"
AZURE = (
    "<Blob><Name>{}</Name><Properties><Last-Modified>{}</Last-Modified><Content-Length>{}</Content-Length>"
    "<Content-Type>image/png</Content-Type><Etag>e</Etag></Properties></Blob>"
)


class Handler(BaseHTTPRequestHandler):
    """Objects by their paths, /CONTAINER/KEY."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    is_google: bool

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        query = parse_qs(place.query)
        if "list-type" in query or "comp" in query:
            self.answer(200, self.listing(unquote(place.path).strip("/"), query))
        elif (found := self.objects.get(unquote(place.path))) is None:
            self.answer(404, b"")
        else:
            self.answer(200, found)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        path, content = unquote(urlsplit(self.path).path), self.rfile.read(int(self.headers["Content-Length"]))
        once = self.headers.get("x-goog-if-generation-match") == "0" or self.headers.get("If-None-Match") == "*"
        if once and path in self.objects:
            self.answer(412 if self.is_google else 409, b"")
        else:
            self.objects[path] = content
            self.answer(200 if self.is_google else 201, b"")

    def listing(self, container: str, query: dict[str, list[str]]) -> bytes:
        prefix = query.get("prefix", [""])[0]
        start = query.get("start-after", query.get("startFrom", [""]))[0]
        keys = sorted(path[len(container) + 2 :] for path in self.objects if path.startswith(f"/{container}/"))
        found = [key for key in keys if key.startswith(prefix) and key > start]
        sizes = {key: len(self.objects[f"/{container}/{key}"]) for key in found}
        form, date = (GOOGLE, DATE) if self.is_google else (AZURE, HTTP_DATE)
        rows = "".join(form.format(escape(key), date, size) for key, size in sizes.items())
        if self.is_google:
            return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()
        return f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker/></EnumerationResults>".encode()

    def answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Length": str(len(content)), "ETag": "e", "Last-Modified": HTTP_DATE, "x-goog-generation": "1",
            "x-ms-blob-type": "BlockBlob",
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(params=["gs", "az"])
def container(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, dict[str, bytes]]]:
    is_google, objects = request.param == "gs", dict[str, bytes]()
    handler = type("Named", (Handler,), {"objects": objects, "is_google": is_google})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        key = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        for name, value in {
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key), "GOOGLE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ENDPOINT": url, "AZURE_ENDPOINT": url, "AZURE_ALLOW_HTTP": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "a2V5",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        stores._store.cache_clear()
        yield f"{request.param}://photos", objects
        server.shutdown()
        thread.join()
    stores._store.cache_clear()


def run(source: str, out: str) -> dict[str, str]:
    told = dict[str, str]()
    with REQUEST.upscaler() as upscaler:
        jobs = unfinished(find_jobs([source], out, suffix="x2"), REQUEST.identity)
        for event in upscale_batch(jobs, upscaler, REQUEST.encoding, REQUEST.identity):
            if isinstance(event, Finished):
                told[event.job.source] = str(event.error or "done")
            elif isinstance(event, Passed):
                told |= {job.source: job.skipped for job in event.jobs}
    return told


def test_images_go_through_each_store(container: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, objects = container
    write(tmp_path / "photo.png", Image(np.full((4, 6, 3), 0.5, np.float32)))
    names = ["a.png", "deep/b ü.png"]
    for name in names:
        objects[f"/photos/in/{name}"] = (tmp_path / "photo.png").read_bytes()
    objects["/photos/inside.png"] = b""
    assert run(f"{url}/in", f"{url}/out") == {f"{url}/in/{name}": "done" for name in names}
    for name in names:
        (tmp_path / "got.png").write_bytes(objects[f"/photos/out/{name}"])
        assert read(tmp_path / "got.png").pixels.shape == (8, 12, 3)
    assert len(objects) == 5
    assert run(f"{url}/in", f"{url}/out") == {f"{url}/in/{name}": EXISTS for name in names}


def test_what_is_there_stays_and_what_is_not_is_told(container: tuple[str, dict[str, bytes]], tmp_path: Path) -> None:
    url, objects = container
    (tmp_path / "second").write_bytes(b"second")
    objects["/photos/x"] = b"first"
    assert not stores.put(tmp_path / "second", f"{url}/x", overwrite=False)
    assert objects["/photos/x"] == b"first"
    assert stores.put(tmp_path / "second", f"{url}/x", overwrite=True)
    assert objects["/photos/x"] == b"second"
    with pytest.raises(UnreadableImage, match="there is no such object"):
        stores.fetch(f"{url}/none.png", tmp_path / "none.png")


def test_what_lies_beside_a_tiff_file_comes_along(container: tuple[str, dict[str, bytes]]) -> None:
    url, objects = container
    names = ("scene.tif", "scene.tfw", "scene.tif.aux.xml", "scene_RPC.TXT", "scenery.tfw", "scene2.tfw")
    objects |= {f"/photos/deep/{name}": name.encode() for name in names}
    with fetched(f"{url}/deep/scene.tif") as copy:
        there = {path.name: path.read_text() for path in copy.parent.iterdir()}
    wanted = {name.replace("scene", "image"): name for name in names[:4]}
    assert there == wanted

"""Object stores, against a server on loopback: results appear whole or not at all, and once."""

from __future__ import annotations

import logging
import os
import threading
import tracemalloc
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("obstore", reason="needs the extra cloud")
pytest.importorskip("moto.server", reason="needs moto[server]")

import obstore
from moto.server import ThreadedMotoServer

from subpixel import Request
from subpixel.errors import BadRequest, MissingExtra, SubpixelError, UnreadableImage
from subpixel.images import Image, read, write
from subpixel.jobs import stores
from subpixel.jobs.batch import upscale_batch
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.pool import Finished, Passed
from subpixel.jobs.resumption import EXISTS, unfinished
from subpixel.jobs.shard import WHOLE, Shard

REQUEST = Request(model="bicubic", scale=2)
KEYS = ("in/a.png", "in/deep/b.png", "in/deep/er/c d+ü.png", "in/notes.txt", "in/.hidden.png", "inside.png")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel("ERROR")
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    yield "http://{}:{}".format(*moto.get_host_and_port())
    moto.stop()


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for key, value in {
        "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint, "AWS_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(key, value)
    name = tmp_path.name.lower().replace("_", "-")
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT")).close()
    stores._store.cache_clear()
    url = f"s3://{name}"
    write(tmp_path / "photo.png", Image(np.full((4, 6, 3), 0.5, np.float32)))
    for key in KEYS:
        assert stores.put(tmp_path / "photo.png", f"{url}/{key}", overwrite=False)
    yield url
    stores._store.cache_clear()


def run(source: str, out: str, overwrite: bool = False, shard: Shard = WHOLE) -> dict[str, str]:
    """What became of each image."""
    told = dict[str, str]()
    with REQUEST.upscaler() as upscaler:
        jobs = find_jobs([source], out, suffix="x2", shard=shard)
        todo = jobs if overwrite else unfinished(jobs, REQUEST.identity)
        for event in upscale_batch(todo, upscaler, REQUEST.encoding, REQUEST.identity, overwrite=overwrite):
            if isinstance(event, Finished):
                told[event.job.source] = str(event.error or "done")
            elif isinstance(event, Passed):
                told |= {job.source: job.skipped for job in event.jobs}
    return told


def keys(url: str, below: str) -> list[str]:
    store = stores._store(url)
    return sorted(each["path"] for some in obstore.list(store, prefix=below) for each in some)


def test_from_a_store_into_a_store_and_again(bucket: str, tmp_path: Path) -> None:
    told = run(f"{bucket}/in", f"{bucket}/out")
    wanted = {f"{bucket}/{key}" for key in KEYS[:3]}
    assert told == dict.fromkeys(wanted, "done")
    assert keys(bucket, "out") == ["out/a.png", "out/deep/b.png", "out/deep/er/c d+ü.png"]
    stores.fetch(f"{bucket}/out/deep/er/c d+ü.png", tmp_path / "c.png")
    assert read(tmp_path / "c.png").pixels.shape == (8, 12, 3)
    assert run(f"{bucket}/in/", f"{bucket}/out/") == dict.fromkeys(wanted, EXISTS)
    assert run(f"{bucket}/in", f"{bucket}/out", overwrite=True) == dict.fromkeys(wanted, "done")
    assert set(os.listdir(tmp_path)) == {"photo.png", "c.png"}


def test_into_a_folder_and_from_one(bucket: str, tmp_path: Path) -> None:
    assert set(run(f"{bucket}/in", str(tmp_path / "out")).values()) == {"done"}
    assert read(tmp_path / "out/deep/b.png").pixels.shape == (8, 12, 3)
    assert set(run(f"{bucket}/in", str(tmp_path / "out")).values()) == {EXISTS}
    assert set(run(str(tmp_path / "out"), f"{bucket}/larger").values()) == {"done"}
    assert keys(bucket, "larger") == ["larger/a.png", "larger/deep/b.png", "larger/deep/er/c d+ü.png"]
    assert run(f"{bucket}/inside.png", f"{bucket}/one.png") == {f"{bucket}/inside.png": "done"}
    parts = [run(f"{bucket}/in", str(tmp_path / "parts"), shard=Shard(k, 2)) for k in (1, 2)]
    assert sorted([*parts[0], *parts[1]]) == sorted(f"{bucket}/{key}" for key in KEYS[:3])


def test_a_long_listing_comes_in_parts(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "_TOGETHER", 2)
    monkeypatch.setattr(stores, "_WINDOW", 3)
    names = [
        "a.jpg",
        "a.png",
        "b.png",
        "c.d.png",
        "c.d/x.png",
        "c.png",
        "d.png",
        "e/1.png",
        "e/2.png",
        "e/3.png",
        "f.png",
    ]
    for name in names:
        stores.put(tmp_path / "photo.png", f"{bucket}/long/{name}", overwrite=False)
    found = [(folder.place, list(folder.names)) for folder in stores.below(f"{bucket}/long")]
    assert found == [
        ("", ["a.jpg", "a.png"]), ("c.d", ["x.png"]), ("", ["b.png", "c.d.png", "c.png"]), ("e", ["1.png", "2.png"]),
        ("e", ["3.png"]), ("", ["d.png", "f.png"]),
    ]  # fmt: skip
    told = run(f"{bucket}/long", f"{bucket}/long-out")
    assert {source[len(bucket) + 6 :]: why for source, why in told.items()} == dict.fromkeys(names, "done")
    assert set(run(f"{bucket}/long", f"{bucket}/long-out").values()) == {EXISTS}
    obstore.delete(stores._store(bucket), ["long-out/c.d/x.png", "long-out/f.png"])
    again = run(f"{bucket}/long", f"{bucket}/long-out")
    assert sorted(key[len(bucket) + 6 :] for key, why in again.items() if why == "done") == ["c.d/x.png", "f.png"]


def test_the_names_of_a_long_listing_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of the sources nor those of the results."""
    asked = list[str]()

    def listed(url: str, start: str = "") -> Iterator[str]:
        asked.append(start)
        first = int(start[:6] or 0) if start else 0
        yield from (f"{k:06}.png" for k in range(first, 100_000))

    monkeypatch.setattr(stores, "_listed", listed)
    tracemalloc.start()
    jobs = unfinished(find_jobs(["s3://b/in"], "s3://b/out", suffix="x2"), "id")
    assert sum(job.skipped == EXISTS for job in jobs) == 100_000
    peak = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert peak < 12  # MiB; held whole they are more than 20
    assert len(asked) == 1 + 100_000 / stores._WINDOW


def test_who_comes_second_leaves_the_first_result(bucket: str, tmp_path: Path) -> None:
    """Two machines made it at once: one result appears."""
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(b"first")
    second.write_bytes(b"second")
    told = list[bool]()
    start = threading.Barrier(2)

    def put(file: Path) -> None:
        start.wait()
        told.append(stores.put(file, f"{bucket}/x", overwrite=False))

    threads = [threading.Thread(target=put, args=[file]) for file in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, True]
    assert not stores.put(second, f"{bucket}/x", overwrite=False)
    stores.fetch(f"{bucket}/x", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() in (b"first", b"second")


def test_failures_are_one_line(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableImage, match="there is no such object"):
        stores.fetch(f"{bucket}/nothing.png", tmp_path / "x")
    (tmp_path / "broken.png").write_bytes((tmp_path / "photo.png").read_bytes()[:60])
    stores.put(tmp_path / "broken.png", f"{bucket}/bad/b.png", overwrite=False)
    told = run(f"{bucket}/bad", f"{bucket}/out-bad")
    assert told[f"{bucket}/bad/b.png"].startswith(f"cannot read {bucket}/bad/b.png: ")
    assert keys(bucket, "out-bad") == []
    with pytest.raises(SubpixelError) as caught:
        run("s3://no-such-bucket-anywhere/in", str(tmp_path / "out"))
    assert "\n" not in str(caught.value)
    with pytest.raises(BadRequest, match="name the result with -o"):
        find_jobs([f"{bucket}/in"], suffix="x2")
    with pytest.raises(BadRequest, match="is an input and would be overwritten"):
        find_jobs([f"{bucket}/in"], f"{bucket}/in/", suffix="x2")
    with pytest.raises(BadRequest, match="can be read and not written"):
        find_jobs([f"{bucket}/in"], "https://example.org/out", suffix="x2")
    monkeypatch.setattr(stores, "LARGEST", 10)
    with pytest.raises(UnreadableImage, match="more than 10"):
        stores.fetch(f"{bucket}/in/a.png", tmp_path / "x")


def test_a_web_page_gives_an_image(tmp_path: Path) -> None:
    write(tmp_path / "a b.png", Image(np.full((4, 6, 3), 0.5, np.float32)))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as web:
        thread = threading.Thread(target=web.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{web.server_port}"
        assert run(f"{url}/a%20b.png", str(tmp_path / "out.png")) == {f"{url}/a%20b.png": "done"}
        assert "there is no such object" in run(f"{url}/none.png", str(tmp_path / "none.png"))[f"{url}/none.png"]
        web.shutdown()
        thread.join()
    assert read(tmp_path / "out.png").pixels.shape == (8, 12, 3)
    assert not (tmp_path / "none.png").exists()


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(MissingExtra, match=r"pip install 'subpixel\[cloud\]'"):
        list(find_jobs(["s3://bucket/in"], "out", suffix="x2"))

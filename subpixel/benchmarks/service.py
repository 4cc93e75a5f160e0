"""The service, measured from outside in one run: throughput beside a batch, health, cancelling, a bomb, idle memory."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from subpixel.errors import RuntimeUnavailable
from subpixel.images import Encoding, Image, write
from subpixel.jobs.batch import upscale_batch
from subpixel.jobs.job import Job
from subpixel.jobs.request import Request
from subpixel.runtimes import installed

_QUERY = "model=swift&scale=2"
_LARGE = 5000
"""Pixels a side of an image whose result has 100 megapixels."""
_VIDEO = 720, 1280, 250
"""Height, width and frames."""
_PLENTY = 10**6


@dataclass(frozen=True)
class Served:
    """What was measured."""

    batch: float
    """Images a second, by `upscale_batch`."""
    service: float
    """Images a second, from the first post to the last result."""
    health: float
    """Seconds of the slowest answer of /healthz in that time."""
    health_median: float
    cancel: dict[str, float]
    """Seconds from the request to cancel a large job until the next one begins, at most; of a video with that extra."""
    bomb: float
    """Seconds in which an image that claims 2,500 megapixels is refused."""
    idle: float
    """MiB of the server and its processes before the first image."""

    @property
    def ratio(self) -> float:
        """Images a second of the service for each of the batch's."""
        return self.service / self.batch


def measure(place: Path, images: int = 40, side: int = 512, rounds: int = 3) -> Served:
    """Makes images in an empty `place`, and enlarges them both ways, by turns.

    Raises: RuntimeUnavailable on systems other than Linux, whose memory is counted in other ways; MissingExtra.
    """
    if not sys.platform.startswith("linux"):
        raise RuntimeUnavailable("the memory of a process is read from /proc, which only Linux has")
    paths = _make(place / "images", images, side)
    with _running(place / "data", 2) as server:  # the batch's pool has two threads
        idle = _resident(server.pid)
        _serve_all(server, paths[:2])  # compiles
        batch, service, answers = list[float](), list[float](), list[float]()
        for number in range(rounds):
            batch.append(_batched(paths, place / f"results{number}"))
            with _asking(server) as asked:
                service.append(_serve_all(server, paths))
            answers += asked
        bomb = median(_refused(server) for _ in range(5))
    with _running(place / "data", 1) as server:
        small = paths[0].read_bytes()
        cancel = {each.name: max(_cancelled(server, each, small) for _ in range(rounds)) for each in _costly(place)}
    per_second = [images / median(seconds) for seconds in (batch, service)]
    return Served(per_second[0], per_second[1], max(answers), median(answers), cancel, bomb, idle)


@dataclass(frozen=True)
class _Server:
    port: int
    pid: int

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        """Status and JSON."""
        status, text = self._asked(method, path, body)
        return status, json.loads(text)

    def wait(self, job: str) -> None:
        """Until a job is done, by its events, as the page does: who asks again and again takes the workers' time."""
        events = self._asked("GET", f"/v1/jobs/{job}/events")[1].decode()
        assert '"state":"done"' in events, events

    def _asked(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def _running(data: Path, workers: int) -> Generator[_Server]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    bounds = ["--max-queued", str(_PLENTY), "--per-client", str(_PLENTY), "--workers", str(workers)]
    command = [sys.executable, "-m", "subpixel", "serve", "--port", str(port), "--data", str(data), *bounds]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        server = _Server(port, process.pid)
        try:
            _until(lambda: process.poll() is not None or _answers(server))
            if process.poll() is not None:
                raise RuntimeUnavailable("the service did not start; does `subpixel serve` work?")
            yield server
        finally:
            process.terminate()


def _answers(server: _Server) -> bool:
    with suppress(OSError):
        return server.ask("GET", "/readyz")[0] == 200
    return False


def _until(condition: Any) -> None:
    while not condition():
        time.sleep(0.02)


def _make(folder: Path, images: int, side: int) -> list[Path]:
    """Smooth images with a little grain, all different."""
    folder.mkdir(parents=True)
    y, x = np.mgrid[:side, :side] / 40
    paths = [folder / f"{number:04}.jpg" for number in range(images)]
    for number, path in enumerate(paths):
        waves = np.stack([np.sin(x + number), np.cos(y - number), np.sin(x + y)], axis=2)
        grain = np.random.default_rng(number).normal(0, 2, waves.shape)
        write(path, Image.from_array(np.clip(128 + 90 * waves + grain, 0, 255).astype(np.uint8)))
    return paths


def _batched(paths: Sequence[Path], target: Path) -> float:
    """Seconds for all of them; what is compiled once is not counted."""
    target.mkdir()
    request = Request.parse({"model": "swift", "scale": 2})
    with request.upscaler() as upscaler:
        list(upscale_batch([Job(str(paths[0]), str(target / "warm.jpg"))], upscaler))
        start = time.perf_counter()
        list(upscale_batch([Job(str(path), str(target / path.name)) for path in paths], upscaler))
        return time.perf_counter() - start


def _serve_all(server: _Server, paths: Sequence[Path]) -> float:
    """Seconds until all are done."""
    start = time.perf_counter()
    ids = [_posted(server, path.read_bytes()) for path in paths]
    for name in ids:
        server.wait(name)
    return time.perf_counter() - start


def _posted(server: _Server, body: bytes) -> str:
    status, job = server.ask("POST", f"/v1/jobs?{_QUERY}", body)
    assert status == 202, job
    return job["id"]


@contextmanager
def _asking(server: _Server) -> Generator[list[float]]:
    """Asks for the health ten times a second; the seconds of each answer."""
    seconds, ended = list[float](), threading.Event()

    def ask() -> None:
        while not ended.wait(0.1):
            start = time.perf_counter()
            server.ask("GET", "/healthz")
            seconds.append(time.perf_counter() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seconds
    finally:
        ended.set()
        thread.join()


@dataclass(frozen=True)
class _Costly:
    """What takes long."""

    name: str
    query: str
    body: bytes


def _costly(place: Path) -> Iterator[_Costly]:
    piece = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)  # again and again: a small file
    large, clip = place / "large.png", place / "clip.mkv"
    write(large, Image.from_array(np.tile(piece, (_LARGE // 100, _LARGE // 100, 1))), Encoding(compress=True))
    yield _Costly(f"a job of {4 * _LARGE**2 / 1e6:.0f} megapixels", "&encoding.format=tif", large.read_bytes())
    if installed("av"):
        _film(clip)
        yield _Costly(f"a video of {_VIDEO[1]} x {_VIDEO[0]}", "", clip.read_bytes())


def _film(path: Path) -> None:
    """A wave that moves."""
    import av

    height, width, frames = _VIDEO
    y, x = np.mgrid[:height, :width] / 20
    wave = (128 + 90 * np.sin(x) * np.cos(y)).astype(np.uint8)[..., None].repeat(3, 2)
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("mpeg4", rate=25, width=width, height=height, pix_fmt="yuv420p")
        for number in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(wave, number, 1))))
        file.mux(stream.encode(None))


def _cancelled(server: _Server, costly: _Costly, small: bytes) -> float:
    status, job = server.ask("POST", f"/v1/jobs?{_QUERY}{costly.query}", costly.body)
    assert status == 202, job
    place = f"/v1/jobs/{job['id']}"
    _until(lambda: server.ask("GET", place)[1]["progress"] > 0)
    following = f"/v1/jobs/{_posted(server, small)}"
    start = time.perf_counter()
    server.ask("DELETE", place)
    _until(lambda: server.ask("GET", following)[1]["state"] != "waiting")
    return time.perf_counter() - start


def _refused(server: _Server) -> float:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**7)))
    start = time.perf_counter()
    status, problem = server.ask("POST", "/v1/jobs", body + chunk(b"IEND", b""))
    assert status == 413, problem
    return time.perf_counter() - start


def _tree(pid: int) -> set[int]:
    """A process and all below it."""
    parents = dict[int, int]()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    pids = {pid}
    while more := {child for child, parent in parents.items() if parent in pids} - pids:
        pids |= more
    return pids


def _resident(pid: int) -> float:
    pages = [int(Path(f"/proc/{each}/statm").read_text().split()[1]) for each in _tree(pid)]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20

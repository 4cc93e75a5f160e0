"""Faults that are injected: kills, floods, slow clients, bombs, crashes, full disks, results whose time is over."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from postgres import postgres_server
from served import CHANGED, ENVIRONMENT, SLOW, Server, free_port, pixels, png, until

from subpixel.inference.upscaler import Upscaler

Make = Callable[..., Server]

CRASHING = """
import os, signal
import subpixel.inference.file as file
if __name__ == "__mp_main__":
    _upscale = file.upscale_file
    def dies(source, target, *more):
        if os.path.getsize(source) == {size}:
            os.kill(os.getpid(), signal.SIGKILL)
        return _upscale(source, target, *more)
    file.upscale_file = dies
"""
HANGING = """
import time
import subpixel.inference.file as file
import subpixel.service.service as service
service._STUCK = 1
if __name__ == "__mp_main__":
    file.upscale_file = lambda *_: time.sleep(600)
"""


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims as many pixels as it likes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@contextmanager
def small_disk(place: Path, size: str) -> Generator[Path]:
    """A file system of so many bytes; the test is skipped where none can be mounted."""
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a small file system, which root may")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def children(pid: int) -> list[int]:
    """The processes that compute for a server."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            command = (entry.parent / "cmdline").read_bytes()
            if int(fields[1]) == pid and b"spawn_main" in command:
                found.append(int(entry.parent.name))
    return found


def kill_at_random(server: Server, kills: int, jobs: int, seed: int = 0) -> Counter[str]:
    """Posts jobs while the server, or a process of its, is killed again and again; what became of all accepted ones."""
    rng, accepted = random.Random(seed), dict[str, int]()
    stop = threading.Event()

    def post() -> None:
        for number in range(jobs):
            while not stop.is_set():
                with suppress(httpx.HTTPError):
                    url = f"http://127.0.0.1:{server.port}/v1/jobs?model=bicubic&scale=2"
                    answer = httpx.post(url, content=png(48, 32, seed=number), timeout=20)
                    if answer.status_code == 202:
                        accepted[answer.json()["id"]] = number
                        break
                time.sleep(0.1)

    poster = threading.Thread(target=post)
    poster.start()
    outcomes = Counter[str]()
    for _ in range(kills):
        time.sleep(rng.uniform(0.1, 1.5))
        computing = children(server.process.pid)
        if computing and rng.random() < 0.4:
            with suppress(ProcessLookupError):
                os.kill(rng.choice(computing), signal.SIGKILL)
            outcomes["child killed"] += 1
        else:
            server.stop(signal.SIGKILL)
            outcomes["server killed"] += 1
            server.start()
    poster.join(120)
    stop.set()
    for name, number in accepted.items():
        job = server.finished(name, 120)
        if job["state"] == "done":
            result = server.client.get(job["links"]["result"])
            expected = Upscaler("bicubic", scale=2)(pixels(png(48, 32, seed=number)))
            difference = np.abs(pixels(result.content).astype(int) - expected)
            outcomes["right" if difference.max() <= 1 else "wrong"] += 1  # bands round a half otherwise, now and then
        else:
            outcomes[job["state"]] += 1
    outcomes["accepted"] = len(accepted)
    return outcomes


def test_what_is_accepted_is_done_whoever_is_killed(servers: Make) -> None:
    options = ("--per-client", "100", "--workers", "1")
    server = servers(*options, code=CHANGED.format(changes="lease=1.0"))
    outcomes = kill_at_random(server, kills=3, jobs=8)
    assert outcomes["accepted"] == outcomes["right"] == 8, outcomes


def test_a_flood_is_bounded_health_answers_and_cancelling_ends_in_a_second(servers: Make) -> None:
    server = servers("--max-queued", "30", "--per-client", "60", "--workers", "1", code=SLOW)
    busy = server.submit(png(8, 1000))
    until(lambda: server.client.get(busy["links"]["self"]).json()["state"] == "running")
    with httpx.Client(base_url=server.client.base_url, timeout=60, limits=httpx.Limits(max_connections=50)) as client:

        def post(number: int) -> httpx.Response:
            return client.post("/v1/jobs?model=bicubic", content=png(seed=number))

        with ThreadPoolExecutor(50) as threads:
            answers = list(threads.map(post, range(200)))
    assert Counter(answer.status_code for answer in answers) == {202: 29, 503: 171}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.json()["type"], refused.headers["retry-after"]) == ("/problems/queue-full", "5")
    assert server.client.get("/healthz").status_code == 200
    since = time.monotonic()
    assert server.client.delete(busy["links"]["self"]).json()["state"] == "cancelled"
    following = next(answer.json()["id"] for answer in answers if answer.status_code == 202)
    until(lambda: server.client.get(f"/v1/jobs/{following}").json()["state"] != "waiting", 10)
    assert time.monotonic() - since < 5  # on a busy machine; `bench service` measures it
    names = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert {server.finished(name)["state"] for name in names} == {"done"}
    assert server.client.get(busy["links"]["self"]).json()["state"] == "cancelled"


def test_a_server_whose_work_hangs_is_healthy_and_not_ready(servers: Make) -> None:
    server = servers("--workers", "1", code=HANGING)
    hanging, waiting = server.submit(png()), server.submit(png())
    until(lambda: server.client.get("/readyz").status_code == 503)
    assert server.client.get("/readyz").json() == {"status": "1 jobs wait, and nothing has moved for a minute"}
    assert server.client.get("/healthz").status_code == 200
    for job in (waiting, hanging):
        assert server.client.delete(job["links"]["self"]).json()["state"] == "cancelled"
    assert server.client.get("/readyz").status_code == 200


def test_who_comes_while_another_image_is_done_at_once_is_told_to_come_again(servers: Make) -> None:
    server = servers("--workers", "0", code=HANGING)
    url = f"{server.client.base_url}/v1/upscale?model=bicubic"
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(httpx.post, url, content=png(), timeout=60) for _ in range(2)]
        answer = next(as_completed(both)).result()  # the other one hangs
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/busy")
        assert answer.headers["retry-after"] == "1"
        server.stop(signal.SIGKILL)


def test_a_crash_costs_its_job_after_three_tries_and_no_other(servers: Make) -> None:
    poison = png(31, 17)
    server = servers("--workers", "1", code=CRASHING.format(size=len(poison)))
    first, second = server.submit(poison), server.submit(png())
    failed = server.finished(first["id"])
    assert (failed["state"], failed["error"]["type"]) == ("failed", "/problems/process-died")
    assert "it ended the process three times, at last by SIGKILL" in failed["error"]["detail"]
    assert server.finished(second["id"])["state"] == "done"
    assert server.client.get("/readyz").status_code == 200


def test_a_result_whose_time_is_over_is_gone_with_its_file(servers: Make) -> None:
    server = servers("--keep", "1s", code="import subpixel.service.service as s; s._TIDY = 0.05")
    job = server.finished(server.submit(png())["id"])

    def expired() -> bool:
        answer = server.client.get(job["links"]["result"])
        return answer.status_code in (404, 410)

    until(expired, 10)
    assert not list((server.data / "results").iterdir())
    until(lambda: server.client.get(job["links"]["self"]).status_code == 404, 20)  # forgotten after as long again


REMOVED = """
import os
from pathlib import Path
from starlette.responses import FileResponse
from subpixel.service.service import Service

def removed_after(place, name, is_due):
    real = getattr(place, name)
    def then_gone(self, *arguments):
        answer = real(self, *arguments)
        if os.path.exists("{folder}/armed") and is_due(self, answer):
            for path in Path("{folder}/data/results").iterdir():
                path.unlink()
        return answer
    setattr(place, name, then_gone)

removed_after(*{moment})
"""
FOUND = 'Service, "find", lambda _, record: record.state == "done"'
SIZED = 'FileResponse, "set_stat_headers", lambda response, _: "data/results" in str(response.path)'


@pytest.mark.parametrize(
    ("moment", "wanted", "status"), [(FOUND, "*/*", 410), (FOUND, "image/webp", 410), (SIZED, "*/*", 200)]
)
def test_a_result_that_goes_while_it_is_fetched_is_gone_or_comes_whole(
    servers: Make, tmp_path: Path, moment: str, wanted: str, status: int
) -> None:
    folder = tmp_path / "s0"
    server = servers(code=REMOVED.format(folder=folder, moment=f"({moment})"))
    place = server.finished(server.submit(png())["id"])["links"]["result"]
    whole = server.client.get(place, headers={"accept": "*/*"}).content
    (folder / "armed").touch()
    answer = server.client.get(place, headers={"accept": wanted})
    assert answer.status_code == status, answer.text
    if status == 410:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/expired"
    else:
        assert answer.content == whole


def test_the_oldest_results_make_room(servers: Make) -> None:
    server = servers("--disk", "30K", "--per-client", "50", code="import subpixel.service.service as s; s._TIDY = 0.05")
    jobs = [server.finished(server.submit(png(60, 60, seed=n), "model=nearest&scale=1")["id"]) for n in range(4)]
    assert {job["state"] for job in jobs} == {"done"}
    until(lambda: server.client.get(jobs[0]["links"]["self"]).json()["state"] == "expired", 10)
    assert server.client.get(jobs[3]["links"]["result"]).status_code == 200


def test_a_full_database_refuses_for_a_while_and_loses_nothing(servers: Make, tmp_path: Path) -> None:
    with small_disk(tmp_path / "queue", "4m") as place:
        server = servers("--workers", "1", "--queue-url", f"sqlite:///{place}/q.db")
        accepted = [server.submit(png(seed=number), "model=bicubic")["id"] for number in range(3)]
        with suppress(OSError), (place / "full").open("wb", 0) as full:
            while True:
                full.write(bytes(4096))
        answer = server.client.post("/v1/jobs?model=bicubic", content=png(seed=9))
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/queue-unavailable"), answer.text
        assert answer.headers["retry-after"] == "10"
        assert server.client.get("/healthz").status_code == 200
        (place / "full").unlink()
        accepted.append(server.submit(png(seed=9), "model=bicubic")["id"])
        assert {server.finished(name)["state"] for name in accepted} == {"done"}
        assert not list((server.data / "uploads").iterdir())
        server.stop()


def test_a_result_without_room_fails_in_words_and_the_next_one_is_done(servers: Make) -> None:
    server = servers("--workers", "1")
    with small_disk(server.data / "results", "64k") as results:
        failed = server.finished(server.submit(png(100, 100), "model=bicubic&scale=3")["id"])
        assert (failed["state"], failed["error"]["type"]) == ("failed", "/problems/disk-full"), failed["error"]
        assert "no room for the result" in failed["error"]["detail"]
        assert list(results.iterdir()) == []
        done = server.finished(server.submit(png(), "model=bicubic")["id"])
        answer = server.client.get(done["links"]["result"])
        assert answer.status_code == 200, done["error"]
        assert pixels(answer.content).shape == (32, 48, 3)


@pytest.mark.parametrize("sides", [(50000, 50000), (2**31 - 1, 2**31 - 1), (10001, 10000)])
def test_a_bomb_is_refused_from_its_header(server: Server, sides: tuple[int, int]) -> None:
    server.client.post("/v1/jobs", content=b"warm")
    answer = server.client.post("/v1/jobs", content=bomb(*sides))
    assert answer.status_code in (413, 422)
    assert "more than the limit of 100,000,000" in answer.json()["detail"] or sides[0] > 10**6
    assert not list((server.data / "uploads").iterdir())


def test_headers_that_never_end_and_too_many_of_them(servers: Make) -> None:
    server = servers(code="import subpixel.service.header_timeout as p; p.HEADERS = 0.5")
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(20)
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        since = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - since < 10:
                slow.sendall(b"x")
                time.sleep(0.1)
                if not _open(slow):
                    break
        assert time.monotonic() - since < 8
    with socket.create_connection(("127.0.0.1", server.port)) as large:
        large.settimeout(20)
        with suppress(OSError):
            large.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"x" * 2**20 + b"\r\n\r\n")
            answer = large.recv(100)
            assert answer.startswith((b"HTTP/1.1 4", b"")), answer
    assert server.client.get("/healthz").status_code == 200


def test_too_many_who_wait_are_told_before_the_answer_begins(servers: Make) -> None:
    server = servers(code="import subpixel.service.watch as w; w._MOST = 0")
    answer = server.client.get(server.submit(png())["links"]["events"])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["detail"] == "too many wait for events; ask for the job itself"


def _open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        connection.settimeout(20)


def test_it_finishes_or_puts_back_what_is_begun_when_it_is_told_to_end(servers: Make) -> None:
    server = servers("--workers", "1", code=CHANGED.format(changes="patience=0.3") + SLOW)
    job = server.submit(png(8, 1000))
    until(lambda: server.client.get(job["links"]["self"]).json()["progress"] > 0)
    computing = children(server.process.pid)
    assert computing
    assert server.stop(signal.SIGTERM) == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in computing)
    server.start()
    again = server.client.get(job["links"]["self"]).json()
    assert again["state"] in ("waiting", "running")
    assert server.client.delete(job["links"]["self"]).json()["state"] == "cancelled"


def test_an_upload_under_way_is_told_that_the_service_ends(servers: Make) -> None:
    server = servers(code=CHANGED.format(changes="patience=1.0"))
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.settimeout(20)
        slow.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nhalf")
        until(lambda: list((server.data / "uploads").iterdir()))
        assert server.stop(signal.SIGTERM) == 0
        answer = slow.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"the service is about to end" in answer
    assert not list((server.data / "uploads").iterdir())
    assert "Traceback" not in (server.data.parent / "log").read_text()


def test_two_machines_share_a_queue_and_one_of_them_dies(servers: Make, tmp_path: Path) -> None:
    """A server that computes nothing, two workers on one Postgres and one folder; one is killed in the middle."""
    with postgres_server() as url:
        options = ("--queue-url", url, "--workers", "0", "--per-client", "100")
        server = servers(*options, code=CHANGED.format(changes="lease=1.0"))
        assert server.client.get("/readyz").json() == {"status": "no worker has a pulse"}
        workers = [_worker(url, server.data) for _ in range(2)]
        try:
            until(lambda: server.client.get("/readyz").status_code == 200)
            jobs = [server.submit(png(64, 48, seed=n), "model=bicubic&scale=2") for n in range(12)]
            until(lambda: server.client.get(jobs[3]["links"]["self"]).json()["state"] == "done")
            workers[0].kill()
            done = [server.finished(job["id"], 90) for job in jobs]
        finally:
            for worker in workers:
                worker.terminate()
            ended = [worker.wait(30) for worker in workers]
        assert ended == [-signal.SIGKILL, 0]
        assert {job["state"] for job in done} == {"done"}
        for number, job in enumerate(done):
            expected = Upscaler("bicubic", scale=2)(pixels(png(64, 48, seed=number)))
            np.testing.assert_array_equal(pixels(server.client.get(job["links"]["result"]).content), expected)
        server.stop()


def _worker(url: str, data: Path) -> subprocess.Popen[bytes]:
    change = CHANGED.format(changes="lease=1.0")
    command = ["worker", "--queue-url", url, "--data", str(data), "--workers", "1"]
    code = f"{change}\nfrom subpixel.cli import main\nif __name__ == '__main__': main({command!r})"
    return subprocess.Popen([sys.executable, "-c", code], env=ENVIRONMENT)


if __name__ == "__main__":  # more kills than the suite has time for: FOLDER KILLS JOBS
    place = Path(sys.argv[1])
    place.mkdir(parents=True)
    changed = CHANGED.format(changes="lease=1.0")
    running = Server(place / "data", ("--per-client", "1000", "--max-queued", "1000"), changed, free_port()).start()
    print(kill_at_random(running, int(sys.argv[2]), int(sys.argv[3]), seed=int(time.time())))
    running.stop()

"""Batches in a queue: each image once, whoever dies, and what failed is told."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("dbos", reason="needs the extra serve")

from postgres import postgres_server

from subpixel import Request, atomic
from subpixel.errors import BadRequest
from subpixel.images import Image, read, write
from subpixel.inference.file import upscale_file
from subpixel.jobs import batches, blocks
from subpixel.jobs.batch import Upscale
from subpixel.jobs.batches import KIND, Batches, Outcome
from subpixel.jobs.blocks import Blocks
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.job import Job
from subpixel.jobs.queue import Queue
from subpixel.jobs.worker import Run, Stopped, Worker

REQUEST = Request(model="bicubic", scale=2)
KILLS = int(os.environ.get("SUBPIXEL_MOMENTS", "2"))
"""How many processes are killed; 100 by hand, with --timeout 0."""
AT_EACH = 20
"""Images for each of them, so that there is work until the last."""


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def photos(folder: Path, count: int) -> Path:
    folder.mkdir()
    write(folder / "0000.png", Image(np.full((4, 6, 3), 0.5, np.float32)))
    for k in range(1, count):
        (folder / f"{k:04}.png").write_bytes((folder / "0000.png").read_bytes())
    return folder


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setattr(batches, "BLOCK", 3)
    monkeypatch.setattr(batches, "_AT_ONCE", 2)
    opened = Queue(f"sqlite:///{tmp_path}/q.db")
    yield opened
    opened.close()


def submit(queue: Queue, tmp_path: Path) -> str:
    return Batches(queue).submit(find_jobs([str(tmp_path / "in")], str(tmp_path / "out"), suffix="x2"), REQUEST)


def do(queue: Queue, batch: str, upscale: Upscale = upscale_file) -> Outcome:
    with closing(Blocks(queue, upscale)) as doing, Worker(queue, {KIND: doing}, at_once=1, polling=0.05):
        until(lambda: Batches(queue).outcome(batch).is_over)
    return Batches(queue).outcome(batch)


def test_a_batch_is_done_and_its_failures_are_told_and_tried_again(queue: Queue, tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 10)
    whole = (folder / "0004.png").read_bytes()
    (folder / "0004.png").write_bytes(whole[:60])
    batch = submit(queue, tmp_path)
    waiting = Batches(queue).outcome(batch)
    assert (waiting.images, waiting.waiting, waiting.is_over) == (10, 10, False)
    assert submit(queue, tmp_path) == batch  # no second one
    assert len(queue.states()) == 4
    outcome = do(queue, batch)
    assert (outcome.images, outcome.done, outcome.skipped, outcome.waiting) == (10, 9, 0, 0)
    [(source, why)] = outcome.failures
    assert source == str(folder / "0004.png")
    assert why.startswith(f"cannot read {source}: ")
    lines = list(Batches(queue).lines(batch))
    assert [line["status"] for line in lines if line["source"] == source] == ["failed"]
    assert sum(line["status"] == "done" for line in lines) == 9
    (folder / "0004.png").write_bytes(whole)
    assert Batches(queue).retry(batch) == 1
    outcome = do(queue, batch)
    assert (outcome.images, outcome.failures) == (10, ())
    assert (outcome.done, outcome.skipped) == (8, 2)  # the other images of the block that was tried again
    assert sorted(os.listdir(tmp_path / "out")) == sorted(os.listdir(folder))
    assert {read(path).pixels.shape for path in (tmp_path / "out").iterdir()} == {(8, 12, 3)}
    assert submit(queue, tmp_path) == batch  # ended: looked through again
    assert (do(queue, batch).done, do(queue, batch).skipped) == (0, 10)


def test_a_folder_that_has_grown_is_the_same_batch_with_other_blocks(queue: Queue, tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 4)
    first = submit(queue, tmp_path)
    (folder / "0000a.png").write_bytes((folder / "0000.png").read_bytes())
    assert submit(queue, tmp_path) == first
    outcome = do(queue, first)
    assert (outcome.images, outcome.done, outcome.failures) == (5, 5, ())
    assert [batch for batch, _ in Batches(queue).ids()] == [first]


def test_versions_and_models_are_pinned(queue: Queue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos(tmp_path / "in", 2)
    batch = submit(queue, tmp_path)
    monkeypatch.setattr(blocks, "versions", lambda: {"subpixel": "9.9", "openvino": "1", "libvips": "1"})
    outcome = do(queue, batch)
    assert [why for _, why in outcome.failures] == [outcome.failures[0][1]] * 2
    assert "the batch needs subpixel" in outcome.failures[0][1]
    monkeypatch.undo()
    monkeypatch.setattr(Request, "identity", property(lambda self: "another"))
    Batches(queue).retry(batch)
    assert "is not the one that the batch was made for" in do(queue, batch).failures[0][1]
    assert not (tmp_path / "out").exists()


def test_blocks_that_a_dead_submitter_left_out_of_the_queue_are_told_and_tried_again(
    queue: Queue, tmp_path: Path
) -> None:
    photos(tmp_path / "in", 6)
    batch = submit(queue, tmp_path)
    do(queue, batch)
    shutil.rmtree(tmp_path / "out")
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(Queue, "enqueue", lambda *_: 1 / 0)  # it had forgotten the first blocks by then
        with pytest.raises(ZeroDivisionError):
            submit(queue, tmp_path)
    outcome = Batches(queue).outcome(batch)
    assert (outcome.images, outcome.waiting, len(outcome.failures)) == (6, 0, 6)
    assert "retry" in outcome.failures[0][1]
    assert {line["status"] for line in Batches(queue).lines(batch)} == {"failed"}
    assert Batches(queue).retry(batch) == 2
    outcome = do(queue, batch)
    assert (outcome.done, outcome.failures) == (6, ())


def stuck(source: Path, target: Path, *rest: Any) -> str | None:
    atomic.temporary(target.parent)
    time.sleep(60)
    return None


def test_a_worker_that_is_stopped_in_an_image_leaves_nothing(queue: Queue, tmp_path: Path) -> None:
    photos(tmp_path / "in", 2)
    (tmp_path / "out").mkdir()
    batch = submit(queue, tmp_path)
    (block,) = queue.states(prefix=f"{batch}/")
    run = Run(block, {})
    with closing(Blocks(queue, stuck)) as doing, ThreadPoolExecutor(1) as pool:
        done = pool.submit(doing, run)
        until(lambda: any(path.is_dir() for path in (tmp_path / "out").iterdir()))
        run.stop()
        with pytest.raises(Stopped):
            done.result(30)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_stream_has_no_place_in_a_queue(queue: Queue) -> None:
    for job in (Job("-", "/a.png"), Job("/a.png", "-")):
        with pytest.raises(BadRequest, match="cannot be put into a queue"):
            Batches(queue).submit([job], REQUEST)
    assert queue.states() == {}
    assert Batches(queue).ids() == []


def test_what_does_not_exist_is_told(queue: Queue, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="there is no batch 'x'"):
        Batches(queue).outcome("x")
    with pytest.raises(BadRequest, match="no images for the batch"):
        Batches(queue).submit([], REQUEST)


def slowly(source: Path, target: Path, *rest: Any) -> str | None:
    with open(os.environ["BEGUN"], "a") as log:
        log.write(f"{source} {'twice' if target.exists() else 'once'}\n")
    time.sleep(0.02)
    return upscale_file(source, target, *rest)


def deadly(source: Path, target: Path, *rest: Any) -> str | None:
    """Ends its process at the images that are called so; at some of them only the first time."""
    with open(source.with_suffix(".log"), "a") as log:
        print("begun", file=log)
    if "weak" in source.name:  # not before the deadly one has said so: what both have in hand counts for both
        other = source.with_name("0000-deadly.log")
        until(lambda: other.exists() and other.stat().st_size > 0)
    again = source.with_suffix(".log").read_text().count("begun") > 1
    if "deadly" in source.name or ("weak" in source.name and not again):
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(0.05)
    return upscale_file(source, target, *rest)


def test_an_image_that_ends_the_process_costs_that_image_alone(queue: Queue, tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 2)
    deadly_one, weak_one = folder / "0000-deadly.png", folder / "0000-weak.png"
    for path in (deadly_one, weak_one):
        path.write_bytes((folder / "0000.png").read_bytes())
    outcome = do(queue, submit(queue, tmp_path), deadly)
    why = "it ended the process three times, at last by SIGSEGV; there may be too little memory"
    assert outcome.failures == ((str(deadly_one), f"{deadly_one}: {why}"),)
    assert (outcome.images, outcome.done + outcome.skipped, outcome.waiting) == (4, 3, 0)
    begun = {path.stem: path.read_text().count("begun") for path in folder.glob("*.log")}
    assert (begun["0000-deadly"], begun["0000-weak"]) == (3, 2)
    assert max(begun.values()) <= 3
    made = {path.stem for path in (tmp_path / "out").glob("[!.]*.png")}
    assert made == {"0000", "0000-weak", "0001"}


WORKS = """
import sys
sys.path.insert(0, sys.argv[2])
from subpixel.jobs import blocks
from test_batches import slowly
blocks.work(sys.argv[1], slowly, lease=1.0)
"""
SUBMITS = """
import sys
from subpixel import Request
from subpixel.jobs import batches
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.job import Job
from subpixel.jobs.queue import Queue
batches.BLOCK, batches._AT_ONCE = 5, 4
jobs = find_jobs([sys.argv[2]], sys.argv[3], suffix="x2")
print(batches.Batches(Queue(sys.argv[1])).submit(jobs, Request(model="bicubic", scale=2)))
"""


def started(begun: Path, code: str, *arguments: object) -> subprocess.Popen[Any]:
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{tests.parent}:{tests}", "BEGUN": str(begun)}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def children(pid: int) -> list[int]:
    """The processes that a process has begun."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def backends(url: str) -> list[int]:
    """The processes of Postgres that serve a connection; after one is killed it ends them all and recovers."""
    server = int(Path(url.partition("host=")[2], "data", "postmaster.pid").read_text().split()[0])
    return [pid for pid in children(server) if b": subpixel" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def killed_at_random(url: str, tmp_path: Path, count: int, kills: int) -> dict[str, int]:
    """Submitter, workers, their processes and the database are killed again and again; then the batch is ended."""
    folder, out, here = photos(tmp_path / "in", count), tmp_path / "out", Path(__file__).parent
    draw, begun, killed = random.Random(kills), tmp_path / "begun", Counter[str]()
    begun.touch()
    codes = [(SUBMITS, (url, folder, out)), (WORKS, (url, here)), (WORKS, (url, here))]
    running = [started(begun, code, *arguments) for code, arguments in codes]
    for kill in range(kills):
        if draw.random() < 0.7:  # while there is work; else also while they begin
            wanted = len(begun.read_text().splitlines()) + draw.randint(1, AT_EACH)
            until(lambda wanted=wanted: len(begun.read_text().splitlines()) >= wanted, 240)
        time.sleep(draw.uniform(0, 0.3))
        which, what = kill % 3, draw.choice(["program", "program", "database", "worker's process", "worker's process"])
        pids = backends(url) if what == "database" else children(running[1 + kill % 2].pid)
        if what != "program" and pids:
            with suppress(ProcessLookupError):
                os.kill(draw.choice(pids), signal.SIGKILL)
            killed[what] += 1
            continue
        killed["worker" if which else "submitter"] += 1
        running[which].kill()
        running[which].communicate()
        code, arguments = codes[which]
        running[which] = started(begun, code, *arguments)
    print(dict(killed))
    running[0].communicate(timeout=120)  # it may have lost its database
    batch = ""
    for _ in range(10):  # while the database recovers nothing is submitted
        batch = batch or started(begun, *codes[0][:1], *codes[0][1]).communicate(timeout=120)[0].strip()
    queue = Queue(url)
    try:
        until(lambda: Batches(queue).outcome(batch).is_over, 240)
        outcome = Batches(queue).outcome(batch)
    finally:
        queue.close()
        for worker in running[1:]:
            worker.terminate()
            worker.communicate(timeout=60)
    atomic._swept.discard(str(out))
    atomic.sweep(out)  # what the last one killed has left goes when the folder is next written to
    names, logged = set(os.listdir(folder)), begun.read_text().splitlines()
    whole = {(out / name).read_bytes() for name in names if (out / name).exists()}
    return {
        "images": outcome.images,
        "failed": len(outcome.failures),
        "missing": len(names - set(os.listdir(out))),
        "half": len(whole) - 1,
        "leftovers": len(set(os.listdir(out)) - names),
        "written twice": sum(line.endswith(" twice") for line in logged),
        "begun again": len(logged) - count,
    }


@pytest.mark.skipif(atomic.fcntl is None, reason="claims are file locks, which this system lacks")
def test_killed_submitters_and_workers_lose_and_leave_nothing(tmp_path: Path) -> None:
    with postgres_server() as url:
        told = killed_at_random(url, tmp_path, AT_EACH * KILLS, KILLS)
        print(json.dumps(told))
    again = told.pop("begun again")
    wrong = ("failed", "missing", "half", "leftovers", "written twice")
    assert told == {"images": AT_EACH * KILLS, **dict.fromkeys(wrong, 0)}
    assert again <= 2 * KILLS  # at most the two images that a killed worker had in hand


def test_names_and_errors_that_are_not_utf_8_and_notes_are_kept(queue: Queue, tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 1)
    (folder / os.fsdecode(b"bad\xff.png")).write_bytes(b"no image")
    (folder / "0001.png").write_bytes((folder / "0000.png").read_bytes())
    batch = submit(queue, tmp_path)
    outcome = do(queue, batch, noted)
    assert (outcome.done, len(outcome.failures), outcome.notes) == (2, 1, (("profile left out", 2),))
    lines = {os.fsencode(Path(line["source"]).name): line for line in Batches(queue).lines(batch)}
    assert lines[b"bad\xff.png"]["status"] == "failed"
    assert lines[b"0000.png"]["note"] == "profile left out"
    (folder / os.fsdecode(b"bad\xff.png")).write_bytes((folder / "0000.png").read_bytes())
    Batches(queue).retry(batch)
    again = do(queue, batch)  # without a note of its own for what is there
    assert (again.skipped, again.done, again.failures) == (2, 1, ())
    assert again.notes == (("profile left out", 2),)
    other = Batches(queue).submit([Job(os.fsdecode(b"/no\xff.png"), str(tmp_path / "x.png"))], REQUEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "versions", raising_of_a_name)
        assert "no\\xff.png" in do(queue, other).failures[0][1]


def noted(source: Path, target: Path, *rest: Any) -> str | None:
    upscale_file(source, target, *rest)
    return "profile left out"


def raising_of_a_name() -> dict[str, str]:
    raise BadRequest(os.fsdecode(b"no\xff.png"))


def test_a_part_of_what_a_batch_holds_is_another_batch(queue: Queue, tmp_path: Path) -> None:
    photos(tmp_path / "in", 4)
    jobs = list(find_jobs([str(tmp_path / "in")], str(tmp_path / "out"), suffix="x2"))
    whole = Batches(queue).submit(jobs, REQUEST, named=["in", "out"])
    part = Batches(queue).submit(jobs[:1], REQUEST, named=["in/0000.png", "out"])
    assert part != whole == Batches(queue).submit(jobs, REQUEST, named=["in", "out"])
    assert [Batches(queue).outcome(batch).images for batch in (whole, part)] == [4, 1]

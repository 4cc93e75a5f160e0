"""Where very much is done already, another process helps to look: nothing else may differ."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from subpixel.jobs import resumption
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.job import Job

IDENTITY = "some request"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few are very many, and nobody goes on before the process has begun."""
    has_begun = resumption._Helper.has_begun
    monkeypatch.setattr(resumption, "_MANY", 3)
    monkeypatch.setattr(resumption, "_TOGETHER", 4)
    monkeypatch.setattr(resumption._Helper, "has_begun", lambda self: (self._line.poll(60), has_begun(self))[1])


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """200 jobs, some of which differ from what is done in each way that there is."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    names = [b"%03d.png" % k for k in range(198)] + [b"line\nbreak.png", b"\xff.png"]
    for name in names:
        Path(tmp_path, "in", os.fsdecode(name)).write_bytes(name)
    jobs = list(find_jobs([str(tmp_path / "in")], str(tmp_path / "out"), suffix="x2"))
    for job in jobs:
        Path(job.target).write_bytes(b"a result")
        resumption.record(job, IDENTITY, resumption.state_of(job.source))
    Path(jobs[30].source).write_bytes(b"another image, so it is made anew")
    Path(jobs[60].target).unlink()
    Path(jobs[90].target).write_bytes(b"changed by someone")
    resumption.record(jobs[120], "another request", resumption.state_of(jobs[120].source))
    os.truncate(jobs[150].target, 0)
    os.removexattr(jobs[150].target, resumption.ATTRIBUTE)
    os.utime(jobs[150].target, (1e9, 1e9))
    return jobs


def helpers() -> list[multiprocessing.process.BaseProcess]:
    return [process for process in multiprocessing.active_children() if process.is_alive()]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many jobs each question to the process is about."""
    asked, ask = list[int](), resumption._Helper.ask
    monkeypatch.setattr(resumption._Helper, "ask", lambda self, jobs: (asked.append(len(jobs)), ask(self, jobs))[1])
    return asked


@pytest.mark.usefixtures("few")
def test_it_finds_what_is_found_without_it(jobs: list[Job], asked: list[int]) -> None:
    alone = [next(resumption.unfinished([job], IDENTITY)) for job in jobs]
    assert sum(job.skipped == resumption.EXISTS for job in alone) == 196
    judged = list(resumption.unfinished(jobs, IDENTITY))
    assert [repr(job) for job in judged] == [repr(job) for job in alone]
    assert sum(asked) > 100
    assert not helpers()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("moment", ["before", "between"])
def test_it_may_die(jobs: list[Job], moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = [repr(next(resumption.unfinished([job], IDENTITY))) for job in jobs]
    ask: Callable[[resumption._Helper, list[Job]], None] = resumption._Helper.ask
    killed = list[int]()

    def and_kill(self: resumption._Helper, some: list[Job]) -> None:
        if moment == "between":
            ask(self, some)
        self._process.kill()
        self._process.join()
        killed.append(len(some))
        if moment == "before":
            ask(self, some)

    monkeypatch.setattr(resumption._Helper, "ask", and_kill)
    assert [repr(job) for job in list(resumption.unfinished(jobs, IDENTITY))] == alone
    assert killed
    assert not helpers()


@pytest.mark.usefixtures("few")
def test_it_need_not_start(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise BlockingIOError("no process is left")

    alone = [repr(next(resumption.unfinished([job], IDENTITY))) for job in jobs]
    monkeypatch.setattr(resumption, "_Helper", full)
    assert [repr(job) for job in resumption.unfinished(jobs, IDENTITY)] == alone


@pytest.mark.usefixtures("few")
def test_it_ends_with_who_looks(jobs: list[Job]) -> None:
    found = resumption.unfinished(jobs, IDENTITY)
    for _ in range(5):
        next(found)
    (helper,) = helpers()
    found.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not helper.is_alive()


def test_it_does_not_start_for_what_is_in_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumption, "_MANY", 3)
    monkeypatch.setattr(resumption, "_Helper", lambda *_: pytest.fail("what for?"))
    names = [f"s3://b/out/{k}.png" for k in range(9)]
    monkeypatch.setattr(resumption.stores, "existing", lambda _: (frozenset(names), None))
    found = resumption.unfinished([Job(f"s3://b/in/{k}.png", name) for k, name in enumerate(names)])
    assert all(job.skipped for job in found)

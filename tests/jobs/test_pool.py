"""The pool: jobs are taken one by one, a fault costs its own job, and closing it leaves nothing half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from subpixel.errors import RuntimeUnavailable, UnreadableImage
from subpixel.jobs import pool
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Finished, Passed, Progress, Skip, Taken, run

Emit = Callable[[Progress], None]


def jobs(folder: Path, count: int) -> list[Job]:
    return [Job(str(folder / f"{k}.in"), str(folder / f"out/{k}")) for k in range(count)]


def stem(job: Job) -> str:
    return Path(job.source).stem


def write(job: Job, emit: Emit) -> str | None:
    emit(Progress(job, 4, 1.0, "a pen"))
    Path(job.target).write_text(stem(job))
    return "no colour" if stem(job) == "1" else None


def test_every_job_is_done_once_and_told_of(tmp_path: Path) -> None:
    events = list(run(jobs(tmp_path, 9), write, workers=3))
    ends = [event for event in events if isinstance(event, Finished)]
    assert sorted(Path(event.job.target).read_text() for event in ends) == [str(k) for k in range(9)]
    assert {stem(event.job): event.note for event in ends if event.note} == {"1": "no colour"}
    assert sum(event.pixels for event in events if isinstance(event, Progress)) == 36


def test_a_fault_costs_its_own_job(tmp_path: Path) -> None:
    def work(job: Job, emit: Emit) -> str | None:
        if stem(job) == "2":
            raise UnreadableImage(job.source, "it is torn")
        if stem(job) == "3":
            raise MemoryError
        return write(job, emit)

    ends = {stem(e.job): e for e in run(jobs(tmp_path, 5), work) if isinstance(e, Finished)}
    assert sorted(stem for stem, end in ends.items() if end.error is None) == ["0", "1", "4"]
    assert ends["2"].failure == f"cannot read {tmp_path / '2.in'}: it is torn"
    assert "does not fit into memory" in ends["3"].failure
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0", "1", "4"]


def test_what_concerns_every_job_ends_the_pool(tmp_path: Path) -> None:
    def work(job: Job, emit: Emit) -> str | None:
        raise RuntimeUnavailable("there is no engine")

    with pytest.raises(RuntimeUnavailable, match="no engine"):
        list(run(jobs(tmp_path, 5), work))
    assert not (tmp_path / "out").exists()


def test_a_job_is_taken_when_a_worker_is_free_for_it(tmp_path: Path) -> None:
    taken, counts, go = list[int](), list[int](), threading.Event()

    def endless() -> Iterator[Job]:
        for k, job in enumerate(jobs(tmp_path, 1000)):
            taken.append(k)
            yield job

    def work(job: Job, emit: Emit) -> str | None:
        go.wait(10)
        return write(job, emit)

    with closing(run(endless(), work, workers=2)) as events:
        watcher = threading.Timer(0.3, lambda: (counts.append(len(taken)), go.set()))
        watcher.start()
        next(events)
        watcher.join()
    assert counts == [2]  # while both workers were busy


def test_closing_it_stops_the_workers_and_removes_empty_folders(tmp_path: Path) -> None:
    def work(job: Job, emit: Emit) -> str | None:
        while True:  # told of nothing any more, it ends
            emit(Progress(job, 1, 0.1, "slow"))
            time.sleep(0.01)

    before = set(threading.enumerate())
    with closing(run(jobs(tmp_path, 3), work)) as events:
        next(events)
        assert len(set(threading.enumerate()) - before) == 2
    assert set(threading.enumerate()) <= before
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_costs_its_jobs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrong = Job(str(tmp_path / "0.in"), str(tmp_path / "file/0"))
    ends = [e for e in run([wrong, *jobs(tmp_path, 2)], write) if isinstance(e, Finished)]
    assert sorted(end.error is None for end in ends) == [False, True, True]
    assert any("it is no folder; expected one" in end.failure for end in ends if end.error)


def test_what_nobody_foresaw_costs_its_own_job(tmp_path: Path) -> None:
    def work(job: Job, emit: Emit) -> str | None:
        if stem(job) == "1":
            Path(job.source).read_text()
        if stem(job) == "2":
            (tmp_path / "no/such/folder").touch()
        if stem(job) == "3":
            raise ZeroDivisionError("by zero")
        return write(job, emit)

    ends = {stem(end.job): end for end in run(jobs(tmp_path, 5), work) if isinstance(end, Finished)}
    assert sorted(stem for stem, end in ends.items() if end.error is None) == ["0", "4"]
    assert ends["1"].failure == f"cannot read {tmp_path}/1.in: no such file or directory"
    assert ends["2"].failure.endswith(f"cannot write {tmp_path}/out/2: no such file or directory")
    assert ends["3"].failure == f"{tmp_path}/3.in: ZeroDivisionError: by zero; please report it with the image"
    assert isinstance(ends["3"].error.__cause__, ZeroDivisionError)


def test_what_need_not_be_done_is_told_of_together_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_TOGETHER", 4)
    todo = [job if stem(job) in ("5", "12") else job._replace(skipped="so") for job in jobs(tmp_path, 15)]
    passed = [event.jobs for event in run(todo, write, workers=1) if isinstance(event, Passed)]
    assert [[stem(job) for job in some] for some in passed] == [
        ["0", "1", "2", "3"], ["4"], ["6", "7", "8", "9"], ["10", "11"], ["13", "14"],
    ]  # fmt: skip


def test_what_another_process_does_is_looked_at_again_when_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_AGAIN", 0.001)
    asked = list[str]()

    def work(job: Job, emit: Emit) -> str | None:
        asked.append(stem(job))
        if stem(job) == "0" and asked.count("0") < 3:
            raise Taken
        if stem(job) == "0":
            raise Skip("another made it")
        return write(job, emit)

    events = [event for event in run(jobs(tmp_path, 3), work, workers=1) if not isinstance(event, Progress)]
    assert asked == ["0", "1", "2", "0", "0"]
    assert isinstance(events[-1], Passed)
    assert [job.skipped for job in events[-1].jobs] == ["another made it"]
    assert len(events) == 3


def test_closing_does_not_wait_for_what_another_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_AGAIN", 60)

    def work(job: Job, emit: Emit) -> str | None:
        if stem(job) == "0":
            raise Taken
        return write(job, emit)

    start = time.monotonic()
    with closing(run(jobs(tmp_path, 2), work, workers=1)) as events:
        assert [type(next(events)) for _ in range(2)] == [Progress, Finished]
    assert time.monotonic() - start < 10

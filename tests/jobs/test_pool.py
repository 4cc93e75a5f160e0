"""The pool: jobs are taken one by one, a fault costs its own job, and closing it leaves nothing half done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from subpixel.errors import RuntimeUnavailable, UnreadableImage
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Finished, Progress, run

Tell = Callable[[Progress], None]


def jobs(folder: Path, count: int) -> list[Job]:
    return [Job(folder / f"{k}.in", folder / f"out/{k}") for k in range(count)]


def write(job: Job, tell: Tell) -> str | None:
    tell(Progress(job, 4, 1.0, "a pen"))
    job.target.write_text(job.source.stem)
    return "no colour" if job.source.stem == "1" else None


def test_every_job_is_done_once_and_told_of(tmp_path: Path) -> None:
    events = list(run(jobs(tmp_path, 9), write, workers=3))
    ends = [event for event in events if isinstance(event, Finished)]
    assert sorted(event.job.target.read_text() for event in ends) == [str(k) for k in range(9)]
    assert {event.job.source.stem: event.note for event in ends if event.note} == {"1": "no colour"}
    assert sum(event.pixels for event in events if isinstance(event, Progress)) == 36


def test_a_fault_costs_its_own_job(tmp_path: Path) -> None:
    def work(job: Job, tell: Tell) -> str | None:
        if job.source.stem == "2":
            raise UnreadableImage(job.source, "it is torn")
        if job.source.stem == "3":
            raise MemoryError
        return write(job, tell)

    ends = {e.job.source.stem: e for e in run(jobs(tmp_path, 5), work) if isinstance(e, Finished)}
    assert sorted(stem for stem, end in ends.items() if end.error is None) == ["0", "1", "4"]
    assert ends["2"].failure == f"cannot read {tmp_path / '2.in'}: it is torn"
    assert "does not fit into memory" in ends["3"].failure
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0", "1", "4"]


def test_what_concerns_every_job_ends_the_pool(tmp_path: Path) -> None:
    def work(job: Job, tell: Tell) -> str | None:
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

    def work(job: Job, tell: Tell) -> str | None:
        go.wait(10)
        return write(job, tell)

    with closing(run(endless(), work, workers=2)) as events:
        watcher = threading.Timer(0.3, lambda: (counts.append(len(taken)), go.set()))
        watcher.start()
        next(events)
        watcher.join()
    assert counts == [2]  # while both workers were busy


def test_closing_it_stops_the_workers_and_removes_empty_folders(tmp_path: Path) -> None:
    def work(job: Job, tell: Tell) -> str | None:
        while True:  # told of nothing any more, it ends
            tell(Progress(job, 1, 0.1, "slow"))
            time.sleep(0.01)

    before = set(threading.enumerate())
    with closing(run(jobs(tmp_path, 3), work)) as events:
        next(events)
        assert len(set(threading.enumerate()) - before) == 2
    assert set(threading.enumerate()) <= before
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_costs_its_jobs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    wrong = Job(tmp_path / "0.in", tmp_path / "file/0")
    ends = [e for e in run([wrong, *jobs(tmp_path, 2)], write) if isinstance(e, Finished)]
    assert sorted(end.error is None for end in ends) == [False, True, True]
    assert any("the folder cannot be made" in end.failure for end in ends if end.error)


def test_what_nobody_foresaw_costs_its_own_job(tmp_path: Path) -> None:
    def work(job: Job, tell: Tell) -> str | None:
        if job.source.stem == "1":
            job.source.read_text()
        if job.source.stem == "2":
            (tmp_path / "no/such/folder").touch()
        if job.source.stem == "3":
            raise ZeroDivisionError("by zero")
        return write(job, tell)

    ends = {end.job.source.stem: end for end in run(jobs(tmp_path, 5), work) if isinstance(end, Finished)}
    assert sorted(stem for stem, end in ends.items() if end.error is None) == ["0", "4"]
    assert ends["1"].failure == f"cannot read {tmp_path}/1.in: no such file or directory"
    assert ends["2"].failure.endswith(f"cannot write {tmp_path}/out/2: no such file or directory")
    assert ends["3"].failure == f"{tmp_path}/3.in: ZeroDivisionError: by zero; please report it with the image"
    assert isinstance(ends["3"].error.__cause__, ZeroDivisionError)

"""What a worker does with a job, whatever happens in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dbos", reason="needs the extra serve")

from subpixel.errors import BadRequest, ProcessDied, UnreadableImage
from subpixel.jobs.queue import Queue
from subpixel.jobs.worker import Run, Stopped
from subpixel.service.orders import Enlarged, Order
from subpixel.service.records import Bounds, Record, Records
from subpixel.service.work import Enlarging, limited


class Work:
    """One job, accepted, and what stands in place of the process that computes."""

    def __init__(self, place: Path) -> None:
        self.queue = Queue(f"sqlite:///{place}/q.db")
        self.records, self.data = Records(self.queue), place
        for folder in ("uploads", "results"):
            (place / folder).mkdir()
        (place / "uploads" / "x").write_bytes(b"image")
        self.records.accept(Record("x", "ann", "{}", "PNG", 3, 2, 5, "png", 6, 4, 0.0), Bounds(9, 9))
        self.enlarging = Enlarging(self.records, place, 1)
        self.result = place / "results" / "x.png"
        self.calls = 0

    def run(self, *outcomes: Any) -> Record:
        """Does the job; each try ends with an outcome: an error, or something that happens before its result."""
        coming = iter(outcomes)

        def isolated(order: Order, emit: Any, check: Any) -> Enlarged:
            self.calls += 1
            outcome = next(coming)
            if isinstance(outcome, BaseException):
                raise outcome
            Path(order.target).write_bytes(b"larger")
            outcome()
            return Enlarged(6, "tag", "a note", "swift-x2")

        self.enlarging.isolated = isolated  # type: ignore[assignment]
        self.enlarging(Run("x", {}))
        record = self.records.get("x")
        assert record
        return record


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    made = Work(tmp_path)
    yield made
    made.queue.close()


def nothing() -> None:
    """Happens before a result."""


def test_a_result_then_the_state_and_the_upload_goes(work: Work) -> None:
    record = work.run(nothing)
    assert (record.state, record.bytes, record.etag, record.note, record.share) == ("done", 6, "tag", "a note", 1.0)
    assert work.result.read_bytes() == b"larger"
    assert not (work.data / "uploads" / "x").exists()
    assert work.run().state == "done"  # given out again: there is nothing to do
    assert work.calls == 1


def test_two_deaths_are_forgiven_and_the_third_is_not(work: Work) -> None:
    died = ProcessDied("SIGKILL")
    assert work.run(died, died, nothing).state == "done"
    assert work.calls == 3


def test_three_deaths_are_the_jobs_own(work: Work) -> None:
    record = work.run(*[ProcessDied("SIGSEGV")] * 3)
    assert (record.state, record.tries) == ("failed", 3)
    error = json.loads(str(record.error))
    assert error["type"] == "/problems/process-died"
    assert "three times, at last by SIGSEGV" in error["detail"]


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (UnreadableImage("/data/uploads/x", "it is damaged"), "failed-image", "cannot read the image: it is damaged"),
        (BadRequest("no such size"), "failed-image", "no such size"),
        (ZeroDivisionError("secret"), "internal", "ZeroDivisionError: please report it with the image"),
    ],
)
def test_an_error_is_told_without_paths(work: Work, error: Exception, kind: str, detail: str) -> None:
    record = work.run(error)
    told = json.loads(str(record.error))
    assert (record.state, told["type"], told["detail"]) == ("failed", f"/problems/{kind}", detail)


def test_what_is_stopped_waits_again_and_is_not_counted(work: Work) -> None:
    with pytest.raises(Stopped):
        work.run(Stopped())
    record = work.records.get("x")
    assert record
    assert (record.state, record.tries, record.started) == ("waiting", 0, None)
    assert (work.data / "uploads" / "x").exists()


def test_a_result_of_what_was_cancelled_is_withdrawn(work: Work) -> None:
    assert work.run(lambda: work.records.cancel("x")).state == "cancelled"
    assert not work.result.exists()


def test_one_that_was_held_for_dead_harms_nothing(work: Work) -> None:
    """Another worker has done the job, or is about to: the first one's result, or its end, changes neither."""

    def other_is_done() -> None:
        work.records.change("x", ["running"], state="done", etag="others")

    record = work.run(other_is_done)
    assert (record.state, record.etag, work.result.exists()) == ("done", "others", True)


def test_one_that_goes_on_after_the_first_was_put_back_is_heard(work: Work) -> None:
    assert work.run(lambda: work.records.put_back("x")).state == "done"


def test_a_job_has_so_much_time() -> None:
    check = limited(lambda: None, -1)
    with pytest.raises(Exception, match="it took more than -1 s"):
        check()

"""What is removed, when, and what is not: by the time that passes, not by the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from subpixel import atomic
from subpixel.jobs.queue import Queue
from subpixel.service import clock
from subpixel.service import service as tidied
from subpixel.service.records import Bounds, Record
from subpixel.service.service import Service
from subpixel.service.settings import Settings


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """With a job that is done."""
    queue = Queue(f"sqlite:///{tmp_path}/q.db")
    settings = Settings(tmp_path)
    settings.make_folders()
    made = Service(settings, queue)
    made.records.accept(Record("x", "ann", "{}", "PNG", 3, 2, 5, "png", 6, 4, clock.now()), Bounds(9, 9))
    made.records.change("x", ["waiting"], state="done", finished=clock.now(), bytes=5)
    (made.settings.results / "x.png").write_bytes(b"large")
    yield made
    made.close()
    queue.close()


@pytest.mark.parametrize("days", [10, -10])
def test_a_clock_that_is_set_removes_nothing(service: Service, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    coming = service.settings.uploads / "coming.part"
    coming.write_bytes(b"an upload under way")
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 86400 * days)
    service.tidy()
    record = service.records.get("x")
    assert record
    assert (record.state, (service.settings.results / "x.png").exists(), coming.exists()) == ("done", True, True)


def test_a_result_goes_when_its_time_has_passed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.monotonic
    monkeypatch.setattr("time.monotonic", lambda: real() + service.settings.keep + 1)
    service.tidy()
    record = service.records.get("x")
    assert record
    assert (record.state, list(service.settings.results.iterdir())) == ("expired", [])


def test_nobody_gets_a_result_when_its_time_has_passed(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment that `expires` names, whether somebody has tidied or not."""
    done = service.records.get("x")
    assert done
    assert done.finished
    ends, path = done.finished + service.settings.keep, service.settings.results / "x.png"
    assert service.view(done).expires == datetime.fromtimestamp(ends, UTC).isoformat(timespec="milliseconds")
    for moment, state in [(ends - 0.01, "done"), (ends, "expired"), (ends + 9, "expired")]:
        monkeypatch.setattr(tidied, "now", lambda moment=moment: moment)
        found = service.find("x")
        assert found
        assert (found.state, service.view(done).state, path.exists()) == (state, state, state == "done")
    assert found == service.records.get("x")
    assert (found.revision, service.view(found).expires) == (done.revision + 1, None)


def test_what_an_ended_process_was_writing_goes_and_what_another_one_writes_stays(service: Service) -> None:
    results = service.settings.results
    left, under_way = results / f"{atomic.PREFIX}{'0' * 16}", atomic.temporary(results)
    left.mkdir()
    (left / "part").write_bytes(b"half of a job that was stopped")
    under_way.write_bytes(b"half of another one")
    service.tidy()
    assert (left.exists(), under_way.exists()) == (False, True)
    atomic.discard(under_way)


def test_what_belongs_to_no_job_goes_after_a_while(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [service.settings.uploads / "cut.part", service.settings.results / "other.mkv.partial"]
    left[0].write_bytes(b"half")
    left[1].mkdir()
    real = time.monotonic
    for passed, there in [(0, True), (tidied._ORPHAN - 1, True), (tidied._ORPHAN + 1, False)]:
        monkeypatch.setattr("time.monotonic", lambda passed=passed: real() + passed)
        service.tidy()
        assert [path.exists() for path in left] == [there, there]
    assert (service.settings.results / "x.png").exists()

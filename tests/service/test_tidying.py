"""What is removed, when, and what is not: by the time that passes, not by the clock on the wall."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from dataclasses import replace
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


def test_no_more_goes_than_makes_room(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other formats of a result go with it, and count."""
    results, records = service.settings.results, service.records
    for name in ("y", "z"):
        records.accept(Record(name, "bob", "{}", "PNG", 3, 2, 5, "png", 6, 4, clock.now()), Bounds(9, 9))
        records.change(name, ["waiting"], state="done", finished=clock.now(), bytes=5)
        (results / f"{name}.png").write_bytes(b"large")
    (results / "x.tif").write_bytes(bytes(100))
    monkeypatch.setattr(service, "settings", replace(service.settings, disk=50))
    service.tidy(20)
    assert sorted(path.name for path in results.iterdir()) == ["y.png", "z.png"]
    assert [record.id for record in records.in_state("done")] == ["y", "z"]


def test_what_is_still_received_belongs_to_somebody(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    coming, real = service.settings.uploads / "coming.part", time.monotonic
    coming.write_bytes(b"a")
    for hours in (0, 1.1, 2.2):
        monkeypatch.setattr("time.monotonic", lambda hours=hours: real() + hours * tidied._ORPHAN)
        service.tidy()
        with coming.open("ab") as file:
            file.write(b"b")
    assert coming.read_bytes() == b"abbb"


def test_the_queue_is_for_this_user_alone_in_a_folder_that_is_not(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    settings = Settings(data)
    settings.make_folders()
    Queue(settings.url).close()
    assert stat.S_IMODE((data / "queue.db").stat().st_mode) == 0o600


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

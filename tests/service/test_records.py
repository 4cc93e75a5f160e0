"""Counting, turns and keys, in one transaction each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("dbos", reason="needs the extra serve")

from subpixel.jobs.queue import Queue
from subpixel.service.problems import Refusal
from subpixel.service.records import Bounds, Record, Records

MANY = Bounds(1000, 1000)


def record(id: str, client: str = "ann", **more: object) -> Record:
    base = Record(id, client, "{}", "PNG", 3, 2, 99, "png", 6, 4, created=float(len(id)))
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    opened = Queue(f"sqlite:///{tmp_path}/q.db")
    yield opened
    opened.close()


@pytest.fixture
def records(queue: Queue) -> Records:
    return Records(queue)


def test_exactly_as_many_are_accepted_as_there_is_room(queue: Queue, records: Records) -> None:
    outcomes = Counter[str]()

    def post(number: int) -> None:
        try:
            records.accept(record(f"j{number}", f"c{number % 7}"), Bounds(30, 1000))
        except Refusal as error:
            outcomes[f"{error.kind}, again in {error.headers['Retry-After']} s"] += 1
        else:
            outcomes["accepted"] += 1

    threads = [threading.Thread(target=post, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"accepted": 30, "queue-full, again in 5 s": 170}
    assert len(records.unfinished()) == len(queue.states()) == 30


def test_a_client_has_its_own_bound(records: Records) -> None:
    for number in range(4):
        records.accept(record(f"a{number}"), Bounds(100, 4))
    with pytest.raises(Refusal, match="4 of your jobs are unfinished") as refused:
        records.accept(record("a4"), Bounds(100, 4))
    assert (refused.value.kind, refused.value.problem.status) == ("client-full", 429)
    records.accept(record("b0", "bob"), Bounds(100, 4))
    records.cancel("a0")
    records.accept(record("a4"), Bounds(100, 4))


def test_clients_take_turns(queue: Queue, records: Records) -> None:
    """Ann brings five, then Bob two, then Cy one: nobody waits for all of Ann's."""
    for name, client in [(f"a{n}", "ann") for n in range(5)] + [("b0", "bob"), ("b1", "bob"), ("c0", "cy")]:
        records.accept(record(name, client, created=float(len(records.unfinished()))), MANY)
    with queue.engine.connect() as connection:
        order = connection.exec_driver_sql("SELECT workflow_uuid FROM workflow_status ORDER BY priority, created_at")
        taken = [row[0] for row in order]
    assert taken == ["a0", "b0", "c0", "a1", "b1", "a2", "a3", "a4"]
    ahead = {each.id: records.ahead(each) for each in records.unfinished()}
    assert ahead == {"a0": 0, "b0": 1, "c0": 2, "a1": 3, "b1": 4, "a2": 5, "a3": 6, "a4": 7}
    for name in ("a0", "b0", "c0", "a1"):
        records.change(name, ["waiting"], state="done")
    late = records.accept(record("d0", "dan"), MANY)
    assert late.turn == 2  # with b1, and before a2: it was not there in the first round


def test_a_key_is_a_clients_own_and_belongs_to_one_upload(records: Records) -> None:
    first = records.accept(record("x", key="k", digest="1"), MANY)
    assert records.accept(record("y", key="k", digest="1"), MANY) == first
    assert records.accept(record("z", "bob", key="k", digest="2"), MANY).id == "z"
    with pytest.raises(Refusal, match="used for another image"):
        records.accept(record("w", key="k", digest="3"), MANY)
    assert {each.id for each in records.unfinished()} == {"x", "z"}


def test_a_change_needs_the_state_it_expects_and_is_counted(queue: Queue, records: Records) -> None:
    records.accept(record("x"), MANY)
    assert records.moves() == 1
    assert not records.change("x", ["done"], state="expired")
    begun = records.begin("x")
    assert begun is not None
    assert (begun.state, begun.revision, begun.tries) == ("running", 2, 0)
    assert records.died("x") == 1
    records.put_back("x")
    records.cancel("x")
    assert records.begin("x") is None
    assert queue.states(["x"])["x"].state == "cancelled"
    assert records.counts() == {"cancelled": 1}
    assert records.moves() == 5
    records.forget(["x"])
    assert (records.get("x"), queue.states()) == (None, {})

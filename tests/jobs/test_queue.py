"""Durable tasks: none lost, none done for nothing, whoever dies; in SQLite, and in Postgres where it is installed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("dbos", reason="needs the extra serve")

from postgres import postgres_server
from sqlalchemy import text
from sqlalchemy.event import listen
from sqlalchemy.exc import OperationalError

from subpixel.errors import BadRequest, QueueUnavailable
from subpixel.jobs import worker
from subpixel.jobs.queue import Queue, State, Task, hidden, network_file_system
from subpixel.jobs.worker import Heartbeats, Run, Stopped, Worker


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    opened = Queue(f"sqlite:///{tmp_path}/q.db")
    yield opened
    opened.close()


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def settled(queue: Queue, prefix: str = "") -> bool:
    return all(state.state not in ("waiting", "running") for state in queue.states(prefix=prefix).values())


def test_a_statement_that_comes_again_and_again_is_compiled_once(queue: Queue) -> None:
    kept = queue.engine._compiled_cache

    def after_a_look() -> int:
        queue.beats()
        return len(kept)

    assert 0 < after_a_look() == after_a_look()


def test_tasks_are_done_in_the_order_of_their_priority_and_failures_are_told(queue: Queue) -> None:
    done = list[str]()

    def work(run: Run) -> dict[str, int]:
        done.append(run.id)
        if run.id == "bad":
            raise ValueError("it is damaged\nand more")
        return {"twice": 2 * run.payload["n"]}

    queue.enqueue([Task("late", "work", {"n": 1}, 3), Task("bad", "work", {}, 2), Task("first", "work", {"n": 21})])
    assert queue.states(["late"]) == {"late": State("waiting")}
    with Worker(queue, {"work": work}, at_once=1):
        until(lambda: settled(queue))
    assert done == ["first", "bad", "late"]
    assert queue.states() == {
        "first": State("done", {"twice": 42}),
        "bad": State("failed", None, "it is damaged"),
        "late": State("done", {"twice": 2}),
    }
    queue.forget(["first", "bad"])
    assert set(queue.states()) == {"late"}


def test_a_task_is_done_again_where_the_database_failed(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it was done; and where its end could not be written down: it is ours for ever, and nobody does it."""
    monkeypatch.setattr(worker, "_AGAIN", 0.01)
    calls = list[str]()

    def work(run: Run) -> dict[str, int]:
        calls.append(run.id)
        if len(calls) == 1:
            raise OperationalError("COMMIT", {}, Exception("database or disk is full"))
        return {"n": len(calls)}

    queue.enqueue([Task("a", "work", {})])
    with Worker(queue, {"work": work}, lease=0.5) as ours:
        until(lambda: queue.states() == {"a": State("done", {"n": 2})})
        with queue.engine.begin() as connection:
            change = "UPDATE workflow_status SET status = 'PENDING', output = NULL, executor_id = :ours"
            connection.execute(text(change), {"ours": ours.executor})
        until(lambda: queue.states() == {"a": State("done", {"n": 3})})
    assert calls == ["a"] * 3


def test_a_worker_that_seldom_looks_beats_often_enough_for_its_lease(queue: Queue) -> None:
    with Worker(queue, {"work": lambda run: {}}, lease=0.5, watching=60) as ours:
        first = queue.beats()[ours.executor]
        until(lambda: queue.beats()[ours.executor] > first + 2)


def test_a_worker_without_room_does_not_look_into_the_queue(queue: Queue) -> None:
    """It could take nothing, and each look costs a millisecond or more."""
    asked, going_on = list[str](), threading.Event()

    def looks() -> int:
        asked.clear()
        time.sleep(1.2)  # some of DBOS's threads look once a second
        return len(asked)

    def work(run: Run) -> dict[str, int]:
        going_on.wait(30)
        return {}

    listen(queue.engine, "before_cursor_execute", lambda *about: asked.append(about[2]))
    with Worker(queue, {"work": work}, at_once=1, polling=0.02, watching=60, lease=300):
        assert looks() > 10
        queue.enqueue([Task("a", "work", {}), Task("b", "work", {})])
        until(lambda: queue.states()["a"].state == "running")
        time.sleep(1.2)
        assert looks() == 0
        going_on.set()
        until(lambda: settled(queue), 5)


def test_an_id_is_one_task_and_a_transaction_that_fails_enqueues_none(queue: Queue) -> None:
    queue.enqueue([Task("a", "work", {"n": 1})])
    queue.enqueue([Task("a", "work", {"n": 2})])
    assert list(queue.states()) == ["a"]
    with pytest.raises(ZeroDivisionError):
        _enqueued_in_vain(queue)
    assert list(queue.states()) == ["a"]


def _enqueued_in_vain(queue: Queue) -> None:
    with queue.exclusive() as connection:
        queue.enqueue([Task("b", "work", {})], connection)
        raise ZeroDivisionError


def test_what_is_cancelled_stops_and_what_is_put_back_is_done_by_the_next(queue: Queue) -> None:
    begun, heard = threading.Event(), list[str]()

    def long(run: Run) -> dict[str, int]:
        begun.set()
        try:
            while True:
                run.check()
                time.sleep(0.01)
        except Stopped:
            heard.append(run.id)
            raise

    queue.enqueue([Task("one", "long", {})])
    with Worker(queue, {"long": long}, patience=0):
        begun.wait(10)
        queue.cancel(["one"])
        since = time.monotonic()
        until(lambda: heard == ["one"])
        assert time.monotonic() - since < 1
        begun.clear()
        queue.enqueue([Task("two", "long", {})])
        begun.wait(10)
    assert heard == ["one", "two"]
    assert queue.states() == {"one": State("cancelled"), "two": State("waiting")}
    assert queue.beats() == {}
    with Worker(queue, {"long": lambda run: {}}):
        until(lambda: queue.states(["two"])["two"] == State("done", {}))


def test_who_stands_still_is_dead_whatever_the_clocks_say(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pulses = Heartbeats(lease=10)
    assert pulses.dead({"a": 1, "b": 5}) == set()
    now = 109
    assert pulses.dead({"a": 2, "b": 5}) == set()
    now = 111
    assert pulses.dead({"a": 2, "b": 5, "c": 0}) == {"b"}
    now = 120
    assert pulses.dead({"a": 2}) == {"a"}
    assert pulses.dead({"a": 3}) == set()


WORKER = """
    import os, sys, time
    from pathlib import Path
    from subpixel.jobs.queue import Queue
    from subpixel.jobs.worker import Worker

    def work(run):
        with open(sys.argv[2], "a") as log:
            log.write(f"{run.id} {os.getpid()}\\n")
        for _ in range(5):
            run.check()
            time.sleep(0.01)
        return {"pid": os.getpid()}

    queue = Queue(sys.argv[1])
    with Worker(queue, {"work": work}, at_once=2, polling=0.05, lease=1.0):
        print("ready", flush=True)
        sys.stdin.read()
    queue.close()
"""


def _worker(url: str, log: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(WORKER), url, str(log)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _kill_one_of_two(queue: Queue, log: Path) -> None:
    """40 tasks, two workers, one killed in the middle: all are done, and nobody did one that was done."""
    queue.enqueue([Task(f"t{k}", "work", {}) for k in range(40)])
    workers = [_worker(queue.url, log), _worker(queue.url, log)]
    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "ready\n"
        until(lambda: log.exists() and log.read_text().count(f" {workers[0].pid}\n") >= 5)
        workers[0].send_signal(signal.SIGKILL)
        until(lambda: settled(queue), 60)
    finally:
        for worker in workers:
            assert worker.stdin
            worker.stdin.close()
        assert [worker.wait(30) for worker in workers] == [-signal.SIGKILL, 0]
        for worker in workers:
            assert worker.stdout
            worker.stdout.close()
    states = queue.states(prefix="t")
    assert {state.state for state in states.values()} == {"done"}
    begun = [line.split() for line in log.read_text().splitlines()]
    again = len(begun) - 40
    assert len(states) == 40
    assert 0 <= again <= 2  # what the dead one had in hand
    assert len({pid for _, pid in begun}) == 2


def test_the_tasks_of_a_killed_worker_are_taken_over(queue: Queue, tmp_path: Path) -> None:
    _kill_one_of_two(queue, tmp_path / "log")


def test_the_same_in_postgres(tmp_path: Path) -> None:
    with postgres_server() as url:
        queue = Queue(url)
        _kill_one_of_two(queue, tmp_path / "log")
        assert hidden("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"
        queue.close()


def test_the_database_does_not_grow_with_what_was_done_and_forgotten(queue: Queue, tmp_path: Path) -> None:
    def size() -> int:
        with queue.engine.connect() as connection:
            pages, free = (
                connection.exec_driver_sql(f"PRAGMA {of}_count").scalar() or 0 for of in ("page", "freelist")
            )
        return pages - free

    with Worker(queue, {"work": lambda run: {"text": "x" * 1000}}, at_once=20, polling=0.02):
        sizes = list[int]()
        for turn in range(3):
            ids = [f"{turn}-{k}" for k in range(60)]
            queue.enqueue([Task(name, "work", {"text": "x" * 1000}) for name in ids])
            until(lambda: settled(queue))
            full = size()
            queue.forget(ids)
            sizes.append(size())
    assert full - sizes[0] > 20
    assert abs(sizes[2] - sizes[0]) <= 4


@pytest.mark.parametrize(
    "url",
    [
        "mysql://host/x", "nothing", "sqlite://", "sqlite:///:memory:", "postgresql://host", "postgresql://host:port/x",
    ],
)  # fmt: skip
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="expected sqlite:///PATH or postgresql://"):
        Queue(url)


def test_a_database_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(QueueUnavailable, match="there is no folder"):
        Queue(f"sqlite:///{tmp_path}/missing/q.db")
    with pytest.raises(
        QueueUnavailable, match=r"cannot use the queue postgresql://me:\*\*\*@127\.0\.0\.1:1/q: "
    ) as told:
        Queue("postgresql://me:secret@127.0.0.1:1/q")
    assert "\n" not in str(told.value)
    assert "secret" not in str(told.value)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("garbage\n" * 200)
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE jobs (id INTEGER)")
        other.commit()
    (tmp_path / "folder.db").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.glob("[to]*.db")}
    reasons = {"text": "file is not a database", "other": "a database of something else", "folder": "unable to open"}
    for name, why in reasons.items():
        with pytest.raises(QueueUnavailable, match=why):
            Queue(f"sqlite:///{tmp_path}/{name}.db")
    assert {path: path.read_bytes() for path in tmp_path.glob("[to]*.db")} == before
    (tmp_path / "empty.db").touch()
    Queue(f"sqlite:///{tmp_path}/empty.db").close()


def test_sqlite_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = "/dev/sda1 / ext4 rw 0 0\nserver:/home /srv nfs4 rw 0 0\n/dev/sdb /srv/local xfs rw 0 0\n"
    assert network_file_system(Path("/srv/data/q.db"), mounts) == "nfs4"
    assert network_file_system(Path("/srv/local/q.db"), mounts) is None
    assert network_file_system(Path("/srvx/q.db"), mounts) is None
    monkeypatch.setattr("subpixel.jobs.queue._mounts", lambda: f"//nas/x {tmp_path} cifs rw 0 0\n")
    with pytest.raises(QueueUnavailable, match=r"network file system \(cifs\); use postgresql://"):
        Queue(f"sqlite:///{tmp_path}/q.db")


def test_an_sqlite_without_fractions_of_a_second_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 40, 1))
    monkeypatch.setattr("sqlite3.sqlite_version", "3.40.1")
    monkeypatch.setattr("sys.version_info", (3, 13, 0))
    with pytest.raises(QueueUnavailable, match=r"SQLite is 3\.40\.1; expected 3\.42\.0, or postgresql://"):
        Queue(f"sqlite:///{tmp_path}/q.db")
    assert not (tmp_path / "q.db").exists()


def test_it_calls_nobody(tmp_path: Path) -> None:
    """In a fresh home, with every door to the network guarded: no connection, no look-up, no file but the database."""
    code = """
        import socket, sys, time
        def refuse(*given, **more):
            print("CALLED", given, flush=True)
            raise OSError("no network")
        socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
        socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refuse
        from subpixel.jobs.queue import Queue, Task
        from subpixel.jobs.worker import Worker
        queue = Queue(f"sqlite:///{sys.argv[1]}/q.db")
        queue.enqueue([Task("a", "work", {})])
        with Worker(queue, {"work": lambda run: {}}):
            while queue.states(["a"])["a"].state != "done":
                time.sleep(0.02)
            time.sleep(1.5)
        queue.close()
    """
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "DBOS__CLOUD": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    ended = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


def test_the_payload_is_json_that_any_program_can_read(queue: Queue) -> None:
    queue.enqueue([Task("a", "work", {"name": "ü"})])
    with queue.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT inputs FROM workflow_status").scalar()
        row = row or connection.exec_driver_sql("SELECT inputs FROM workflow_input").scalar()
    assert json.loads(json.loads(str(row))["positionalArgs"][0]) == {"name": "ü"}

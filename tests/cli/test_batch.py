"""`subpixel batch` and `upscale --queue-url` through the entry point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("dbos", reason="needs the extra serve")

from subpixel.cli import batch as command
from subpixel.images import Image, write
from subpixel.jobs.queue import Queue

Call = Callable[..., tuple[int, str, str]]


def test_a_batch_is_submitted_followed_and_exported(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_POLL", 0.05)
    url = f"sqlite:///{tmp_path}/q.db"
    for name in ("a.png", "b,c.png"):
        (tmp_path / "in").mkdir(exist_ok=True)
        write(tmp_path / "in" / name, Image(np.full((4, 6, 3), 0.5, np.float32)))
    (tmp_path / "in/z.png").touch()
    command_line = [sys.executable, "-m", "subpixel", "worker", "--queue-url", url]
    worker = subprocess.Popen(command_line, stderr=subprocess.PIPE, text=True)
    try:
        arguments = ("upscale", tmp_path / "in", "-o", tmp_path / "out", "-m", "bicubic", "--queue-url", url)
        status, _, err = call(*arguments)
        listed = call("batch", "status", "--queue-url", url)
        (tmp_path / "empty").mkdir()
        as_json = call("upscale", tmp_path / "empty", *arguments[1:], "--json")
        quiet = call(*arguments, "-q")
    finally:
        worker.send_signal(signal.SIGTERM)
        told = worker.communicate(timeout=60)[1]
    assert worker.returncode == 128 + signal.SIGTERM
    assert told == f"waits for batches in the queue {url}; Ctrl-C ends it\n"
    assert status == 1
    batch = err.split()[1]
    assert err.splitlines()[-2:] == ["3/3 images, 2 made, 1 failed", f"  cannot read {tmp_path}/in/z.png: it is empty"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b,c.png"]
    assert (listed[0], listed[1].split()[0]) == (0, batch)
    assert listed[1].endswith("  3/3 images, 2 made, 1 failed\n")
    assert call("batch", "status", batch, "--queue-url", url)[0] == 1
    _, out, _ = call("batch", "export", batch, "--queue-url", url)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(Path(line["source"]).name, line["status"]) for line in lines] == [
        ("a.png", "done"), ("b,c.png", "done"), ("z.png", "failed"),
    ]  # fmt: skip
    assert (as_json[0], as_json[2]) == (1, "")
    named, *again, never, total = map(json.loads, as_json[1].splitlines())
    assert list(named) == ["batch"]
    assert again == lines
    assert (never["source"], never["status"]) == (f"{tmp_path}/empty", "failed")
    assert total == {"done": 2, "failed": 2}
    assert quiet == (1, "", f"  cannot read {tmp_path}/in/z.png: it is empty\n")
    assert call(*arguments, "-q", "--json")[0] == 2
    assert call("batch", "export", batch, "--format", "csv", "-o", tmp_path / "t.csv", "--queue-url", url)[0] == 0
    table = (tmp_path / "t.csv").read_text().splitlines()
    assert table[0] == "source,target,status,error,note"
    assert table[2] == f'"{tmp_path}/in/b,c.png","{tmp_path}/out/b,c.png",done,,'
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    assert (
        call("batch", "export", batch, "--format", "parquet", "-o", tmp_path / "all.parquet", "--queue-url", url)[0]
        == 0
    )
    assert parquet.read_table(tmp_path / "all.parquet").column("status").to_pylist() == ["done", "done", "failed"]
    assert call("batch", "retry", batch, "--queue-url", url)[2] == "1 blocks with failures are in the queue again\n"
    monkeypatch.setattr(command, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    status, _, err = call(
        "batch", "export", batch, "--format", "parquet", "-o", tmp_path / "t.parquet", "--queue-url", url
    )
    assert (status, err.count("\n")) == (2, 1)
    assert "pyarrow" in err
    assert not (tmp_path / "t.parquet").exists()


def test_mistakes_are_one_line(call: Call, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/q.db"
    for arguments in (("status",), ("status", "x"), ("retry", "x"), ("export", "x")):
        status, out, err = call("batch", *arguments, "--queue-url", url)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "there is no such queue" in err
    assert not list(tmp_path.iterdir())
    Queue(url).close()
    for arguments, words in (
        (("status", "nothing"), "there is no batch 'nothing'"),
        (("export", "x", "--format", "xml"), "unknown format 'xml'"),
        (("export", "x", "--format", "parquet"), "name it with -o"),
        (("export", "x", "-o", tmp_path / "none/e.jsonl"), "none/e.jsonl: no such file or directory"),
        (("status", "--follow"), "--follow follows one batch"),
    ):
        status, _, err = call("batch", *arguments, "--queue-url", url)
        assert (status, err.count("\n")) == (2, 1)
        assert words in err


def test_what_is_refused_before_a_batch_is_one(call: Call, tmp_path: Path) -> None:
    url, out = f"sqlite:///{tmp_path}/q.db", tmp_path / "out"
    (tmp_path / "in").mkdir()
    status, _, err = call("upscale", tmp_path / "typo", "-o", out, "-m", "bicubic", "--queue-url", url)
    assert (status, err) == (2, f"subpixel: there is no {tmp_path}/typo\n")
    status, _, err = call("upscale", tmp_path / "in", "-o", out, "-m", "bicubic", "--queue-url", url)
    assert status == 2
    assert err == f"  no images in {tmp_path}/in\nsubpixel: no images for the batch\n"
    (tmp_path / "file").touch()
    for name in (tmp_path / "file", ""):
        status, _, err = call("upscale", tmp_path / "in", "-o", name, "-m", "bicubic")
        assert (status, err.count("\n")) == (2, 1)
        assert "is no folder" in err


def test_a_table_holds_names_that_are_not_utf_8(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    with (tmp_path / "t.parquet").open("wb") as file:
        command._WRITERS["parquet"]([{"source": os.fsdecode(b"a\xff.png"), "note": ""}], file)
    assert parquet.read_table(tmp_path / "t.parquet").column("source").to_pylist() == ["a\\udcff.png"]

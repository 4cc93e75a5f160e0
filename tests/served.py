"""A real server in a process of its own, for the tests of what it does over the network."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
CHANGED = """
import subpixel.service.serve as served
from dataclasses import replace
_serve, _work = served.serve, served.work
served.serve = lambda settings, announce: _serve(replace(settings, {changes}), announce)
served.work = lambda settings, announce: _work(replace(settings, {changes}), announce)
"""
"""Lets a server or a worker have other settings than those of its command line."""
SLOW = """
import time
import subpixel.inference.file as file
if __name__ == "__mp_main__":
    file._ENCODED = 1
    _upscale = file.upscale_file
    def slow(source, target, upscaler, encoding, on_progress):
        def told(plan, rows):
            on_progress(plan, rows)
            time.sleep(0.1 if plan.target.height > 99 else 0)
        return _upscale(source, target, upscaler, encoding, told)
    file.upscale_file = slow
"""
"""Ten rows a second of what is high, so that a job is under way when something happens."""


def png(width: int = 24, height: int = 16, seed: int = 0) -> bytes:
    """A small image, another one for each seed."""
    buffer = io.BytesIO()
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(content)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


@dataclass
class Server:
    """`subpixel serve` with some options, which may be killed and started again on the same folder."""

    data: Path
    options: tuple[str, ...] = ()
    code: str = ""
    """Run before the command line, to inject faults."""
    port: int = field(default_factory=free_port)

    def start(self) -> Server:
        command = ["serve", "--port", str(self.port), "--data", str(self.data), *self.options]
        program = self.data.parent / "program.py"  # a file: processes of its own begin with it, too
        program.write_text(f"{self.code}\nfrom subpixel.cli import main\nif __name__ == '__main__': main({command!r})")
        log = (self.data.parent / "log").open("ab")
        self.process = subprocess.Popen([sys.executable, str(program)], env=ENVIRONMENT, stdout=log, stderr=log)
        log.close()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        until(self._answers)
        return self

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.data.parent / "log").read_text()
        with suppress(httpx.HTTPError):
            return self.client.get("/healthz").status_code in (200, 404)
        return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    def submit(self, content: bytes, query: str = "model=bicubic", **headers: str) -> Any:
        answer = self.client.post(f"/v1/jobs?{query}", content=content, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def finished(self, id: str, seconds: float = 60) -> Any:
        """The job, once it is done or failed."""

        def look() -> Any:
            job = self.client.get(f"/v1/jobs/{id}").json()
            return job if job["state"] not in ("waiting", "running") else None

        return until(look, seconds)

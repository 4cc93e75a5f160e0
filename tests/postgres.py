"""A Postgres of its own for a test: in a temporary folder, by a user who is not root, on a socket alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _user() -> str | None:
    """Whom to become: Postgres refuses root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


@contextmanager
def postgres_server() -> Generator[str]:
    """The URL of an empty database; the test is skipped where Postgres is not installed."""
    if not (shutil.which("initdb") and shutil.which("postgres")):
        pytest.skip("needs initdb and postgres")
    user, folder = _user(), Path(tempfile.mkdtemp(prefix="pg"))
    if user:
        shutil.chown(folder, user)
    made = ["initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "subpixel", "--no-sync", "--no-instructions"]
    subprocess.run(made, user=user, cwd=folder, check=True, capture_output=True, timeout=60)
    run = ["postgres", "-D", f"{folder}/data", "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen(run, user=user, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not (folder / ".s.PGSQL.5432").exists():
            assert time.monotonic() < deadline, "Postgres did not start"
            time.sleep(0.05)
        yield f"postgresql://subpixel@/postgres?host={folder}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)

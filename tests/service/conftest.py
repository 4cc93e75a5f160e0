"""Servers, and a real browser, for the tests of this room."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from served import Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Headless Chromium; each test opens contexts of its own."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with (
        playwright.sync_playwright() as running,
        running.chromium.launch(executable_path=CHROMIUM, args=flags) as browser,
    ):
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for a whole module."""
    running = Server(tmp_path_factory.mktemp("service") / "data").start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Makes servers with options, which end with the test."""
    made = list[Server]()

    def make(*options: str, code: str = "") -> Server:
        made.append(Server(tmp_path / f"s{len(made)}" / "data", options, code))
        made[-1].data.parent.mkdir()
        return made[-1].start()

    yield make
    for each in made:
        each.stop(signal.SIGKILL)

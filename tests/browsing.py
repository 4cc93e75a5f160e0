"""The service's page in a real browser, as its tests use it."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

LIMIT = 60_000  # ms that anything may take on a busy machine
TOLD = re.compile(r"status of 4|status of 503|Connecting to 'http://127.0.0.2:9/'|127.0.0.2:9.* Security Policy")
"""What Chromium itself writes of answers that the page expects, and of what a test asks for."""


@dataclass(frozen=True)
class Tab:
    """A page that is open, and what it asked for."""

    page: Page
    asked: list[tuple[str, str]]

    def choose(self, *paths: Path) -> None:
        self.page.set_input_files("#files", list(paths))

    def state(self, name: str) -> str:
        return self.row(name).locator(".state").inner_text()

    def row(self, name: str) -> Any:
        return self.page.locator("li", has=self.page.locator(".name", has_text=name))

    def wait(self, name: str, state: str) -> None:
        self.page.locator(f'li[data-state="{state}"]', has_text=name).wait_for(timeout=LIMIT)

    def wait_for_after(self, text: str) -> None:
        self.page.locator(".after", has_text=text).wait_for(timeout=LIMIT)

    def saved(self, button: str) -> tuple[str, bytes]:
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name=button).click()
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def opened(context: BrowserContext, address: str, problems: list[str]) -> Tab:
    page, asked = context.new_page(), []
    context.on("request", lambda request: asked.append((request.method, request.url)))
    page.on("filechooser", lambda _: None)  # asked for before the page opens: a chooser that opens first is never told
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if is_wrong(message) else None)
    page.goto(address)
    page.locator("html[data-ready]").wait_for()
    return Tab(page, asked)


def is_wrong(message: Any) -> bool:
    return message.type == "error" and not TOLD.search(message.text)


def local(tab: Tab) -> None:
    pytest.importorskip("subpixel_browser", reason="needs the assets: pip install ./zoo/browser")
    tab.page.get_by_label("In this browser").check()


def levels(content: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)

"""The page with something in its way: a token, no network, a crash; and what is pasted, or moves."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsing import LIMIT, Tab, local, opened
from clip import clip
from PIL import Image
from served import Server, png

for module in ("fastapi", "uvicorn", "dbos"):
    pytest.importorskip(module, reason="needs the extra serve: pip install 'subpixel[serve]'")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Route

TOKEN = "a-token-of-the-tests-0123456789"
PASTE = """([text, type]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([bytes], "image.png", { type }));
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
}"""


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
    context.set_default_timeout(LIMIT)
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext, server: Server) -> Tab:
    return opened(context, f"http://127.0.0.1:{server.port}/", [])


def test_a_pasted_image_is_added_and_enlarged(tab: Tab) -> None:
    tab.page.evaluate(PASTE, [base64.b64encode(png(40, 30)).decode(), "image/png"])
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.wait("image.png", "done")
    assert "80 × 60" in tab.state("image.png")


def test_a_token_is_asked_for_until_it_is_right_and_kept_for_the_tab(
    context: BrowserContext, servers: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "tokens").write_text(f"ann {TOKEN}\n")
    (tmp_path / "a.png").write_bytes(png(40, 30))
    server = servers("--token-file", str(tmp_path / "tokens"))
    tab = opened(context, f"http://127.0.0.1:{server.port}/", [])
    tab.choose(tmp_path / "a.png")
    dialog = tab.page.get_by_role("dialog", name="This server wants a token")
    dialog.wait_for()
    assert not tab.page.locator("#token-wrong").is_visible()
    tab.page.get_by_label("Token", exact=True).fill("not-the-token-at-all")
    tab.page.keyboard.press("Enter")
    tab.page.locator("#token-wrong").wait_for()
    tab.page.get_by_label("Token", exact=True).fill(TOKEN)
    tab.page.get_by_role("button", name="Go on").click()
    dialog.wait_for(state="hidden")
    end = time.monotonic() + 10
    while tab.page.evaluate("sessionStorage.getItem('token')") != TOKEN:  # the dialog is closed before it is kept
        assert time.monotonic() < end
        tab.page.wait_for_timeout(20)
    tab.page.reload()
    tab.page.locator("html[data-ready]").wait_for()
    tab.page.select_option("#model", "bicubic")
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.wait("a.png", "done")
    assert not dialog.is_visible()
    assert TOKEN not in tab.page.url + tab.page.content()


def test_who_has_no_token_leaves_the_dialog_by_escape_and_is_told(
    context: BrowserContext, servers: Callable[..., Server], tmp_path: Path
) -> None:
    """A wrong one still stood in it, and was sent again: the dialog came back at each Escape."""
    (tmp_path / "tokens").write_text(f"ann {TOKEN}\n")
    (tmp_path / "a.png").write_bytes(png(40, 30))
    tab = opened(context, f"http://127.0.0.1:{servers('--token-file', str(tmp_path / 'tokens')).port}/", [])
    tab.choose(tmp_path / "a.png")
    dialog = tab.page.get_by_role("dialog", name="This server wants a token")
    dialog.wait_for()
    tab.page.get_by_label("Token", exact=True).fill("not-the-token-at-all")
    tab.page.keyboard.press("Enter")
    tab.page.locator("#token-wrong").wait_for()
    tab.page.wait_for_timeout(1000)  # all that was refused has asked
    tab.page.keyboard.press("Escape")
    tab.page.locator("#report", has_text="This server wants a token.").wait_for(timeout=10_000)
    assert not dialog.is_visible()


def test_a_video_is_enlarged_without_a_preview_and_saved(tab: Tab, tmp_path: Path) -> None:
    tab.choose(clip(tmp_path / "wave.mp4"))
    tab.page.locator("#report", has_text="A video").wait_for()
    assert not tab.page.locator("subpixel-compare").is_visible()
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.wait("wave.mp4", "done")
    name, content = tab.saved("Save wave.mp4")
    assert (name, content[4:8]) == ("wave_x2.mp4", b"ftyp")
    assert "128 × 96" in tab.state("wave.mp4")


def test_a_crash_of_the_computing_in_the_browser_is_told_in_words(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(40, 30))
    tab.page.route(
        "**/worker.js",
        lambda route: route.fulfill(body="throw new Error('out of memory')", content_type="text/javascript"),
    )
    local(tab)
    tab.choose(tmp_path / "a.png")
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.wait("a.png", "failed")
    assert tab.state("a.png").startswith("The browser ended the computing")
    assert tab.state("a.png").endswith("try again, or use the server.")
    tab.page.unroute("**/worker.js")
    tab.page.get_by_role("button", name="Again a.png").click()
    tab.wait("a.png", "done")


def test_what_moves_is_not_enlarged_in_the_browser(tab: Tab, tmp_path: Path) -> None:
    first, second = (Image.effect_noise((40, 30), sigma) for sigma in (20, 60))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    local(tab)
    tab.choose(tmp_path / "a.gif")
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.wait("a.gif", "failed")
    assert tab.state("a.gif") == "It moves, which only the server keeps; enlarge it there."


def test_what_is_too_large_for_a_browser_is_refused_by_its_header(tab: Tab, tmp_path: Path) -> None:
    Image.new("L", (8001, 8000)).save(tmp_path / "a.png")
    local(tab)
    tab.choose(tmp_path / "a.png")
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.wait("a.png", "failed")
    assert tab.state("a.png").startswith("It has more than 64 megapixels, too many for a browser")


def test_a_job_under_way_says_that_the_server_does_not_answer(
    tab: Tab, context: BrowserContext, tmp_path: Path
) -> None:
    """A stream that breaks off cannot be had at a wish: it is routed."""
    job = {"state": "running", "progress": 0.25, "revision": 2, "ahead": 0, "chosen": "bicubic"}
    answers = [f"id: 2\nevent: job\ndata: {json.dumps(job)}\n\n"]

    def events(route: Route) -> None:
        if answers:
            route.fulfill(body=answers.pop(), content_type="text/event-stream")
        else:
            route.abort()

    tab.page.route("**/events", events)
    (tmp_path / "a.png").write_bytes(png(40, 30))
    tab.page.select_option("#model", "bicubic")
    tab.choose(tmp_path / "a.png")
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.row("a.png").locator(".state", has_text="25 % · The server does not answer; it is asked again.").wait_for()
    tab.page.unroute("**/events")
    tab.wait("a.png", "done")


def test_without_a_network_the_open_page_says_so_and_goes_on_after_it(
    tab: Tab, context: BrowserContext, tmp_path: Path
) -> None:
    """A reload without a network is the browser's own error; the photos are there when it is back."""
    (tmp_path / "a.png").write_bytes(png(40, 30))
    tab.page.select_option("#model", "bicubic")
    tab.choose(tmp_path / "a.png")
    tab.wait_for_after("Preview")
    context.set_offline(True)
    tab.page.get_by_role("button", name="Enlarge", exact=True).click()
    tab.row("a.png").locator(".state", has_text="The server does not answer; it is asked again.").wait_for()
    context.set_offline(False)
    tab.wait("a.png", "done")
    context.set_offline(True)
    with pytest.raises(Exception, match="ERR_INTERNET_DISCONNECTED"):
        tab.page.reload()
    context.set_offline(False)
    tab.page.goto(tab.asked[0][1])
    tab.wait("a.png", "done")

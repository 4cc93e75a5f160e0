"""The page and the service together, in a real browser: what a user does, with the pixels that come out."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browsing import LIMIT, Tab, levels, local, opened
from PIL import Image
from served import ROOT, Server, until

from subpixel.inference.file import upscale_file
from subpixel.jobs.request import Request

for module in ("fastapi", "uvicorn", "dbos"):
    pytest.importorskip(module, reason="needs the extra serve: pip install 'subpixel[serve]'")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

AXE = ROOT / "node_modules/axe-core/axe.min.js"


@dataclass(frozen=True)
class Served:
    """A running service."""

    address: str
    photos: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("service")
    photos = folder / "photos"
    photos.mkdir()
    with Image.open(ROOT / "examples/chelsea.jpg") as cat:
        cat.crop((100, 60, 300, 210)).save(photos / "cat.png")
        cat.crop((0, 0, 90, 120)).save(photos / "fur.jpg", quality=60)
        cat.crop((0, 0, 90, 120)).save(photos / "scan.tif")
        cat.resize((500, 420)).save(photos / "large.png")
        cat.resize((1500, 1300)).save(photos / "huge.jpg", quality=80)
    (photos / "broken.jpg").write_bytes((photos / "fur.jpg").read_bytes()[:400])
    (photos / "notes.txt").write_text("no photo")
    running = Server(folder / "data", ("--per-client", "8")).start()
    yield Served(f"http://127.0.0.1:{running.port}/", photos)
    running.stop()


@pytest.fixture
def context(chromium: Browser, service: Served) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1000, "height": 700}, reduced_motion="reduce")
    context.set_default_timeout(LIMIT)
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext, service: Served) -> Iterator[Tab]:
    """The page, open; it may have no errors and ask no other host."""
    problems: list[str] = []
    tab = opened(context, service.address, problems)
    yield tab
    assert problems == []
    assert {url for _, url in tab.asked if not url.startswith((service.address, f"blob:{service.address}"))} == set()


def by_command_line(path: Path, folder: Path, **asked: Any) -> np.ndarray[Any, Any]:
    """What `subpixel upscale` makes of a file."""
    target = folder / "expected.png"
    with Request.parse({"scale": 2, **asked}).upscaler() as upscaler:
        upscale_file(path, target, upscaler)
    return levels(target.read_bytes())


def test_a_photo_is_dropped_compared_and_saved_with_the_pixels_of_the_command_line(
    tab: Tab, service: Served, tmp_path: Path
) -> None:
    content = base64.b64encode((service.photos / "cat.png").read_bytes()).decode()
    drop = """(text) => {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], "cat.png", { type: "image/png" }));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }"""
    tab.page.evaluate(drop, content)
    tab.wait_for_after("Preview: swift-x2")
    assert tab.page.locator("#report").inner_text().startswith("Found: ")
    tab.page.get_by_role("button", name="Enlarge").click()
    tab.wait("cat.png", "done")
    tab.wait_for_after("After: swift-x2")
    name, result = tab.saved("Save cat.png")
    assert name == "cat_x2.png"
    assert (levels(result) == by_command_line(service.photos / "cat.png", tmp_path)).all()
    assert "400 × 300" in tab.state("cat.png")


def test_everything_works_without_a_mouse(tab: Tab, service: Served) -> None:
    page = tab.page
    page.locator("#files").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(service.photos / "cat.png")
    tab.wait_for_after("Preview")
    divider = page.get_by_role("slider")
    divider.focus()
    for key, position in (("ArrowRight", 52), ("Shift+ArrowLeft", 42), ("Home", 0), ("End", 100), ("PageDown", 90)):
        page.keyboard.press(key)
        assert divider.get_attribute("aria-valuenow") == str(position)
    stage = page.locator(".stage")
    zoom = page.locator("output")
    stage.focus()
    page.keyboard.press("0")
    whole = zoom.inner_text()
    page.keyboard.press("+")
    assert zoom.inner_text() != whole
    page.keyboard.press("-")
    assert zoom.inner_text() == whole
    page.get_by_role("button", name="Side by side").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Side by side").get_attribute("aria-pressed") == "true"
    page.locator("#size").focus()
    page.keyboard.press("3")
    page.locator("#start").focus()
    page.keyboard.press("Enter")
    tab.wait("cat.png", "done")
    assert "600 × 450" in tab.state("cat.png")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save cat.png").focus()
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "cat_x3.png"
    page.get_by_role("button", name="Remove cat.png").focus()
    page.keyboard.press("Enter")
    page.locator("#empty").wait_for()


def test_the_divider_shows_the_one_and_the_other(tab: Tab, service: Served) -> None:
    """Left of it the canvas shows the photo, right of it the result, and side by side both of the same place."""
    tab.choose(service.photos / "cat.png")
    tab.wait_for_after("Preview")
    tab.page.get_by_role("button", name="Enlarge").click()
    tab.wait_for_after("After")
    show = """async ([position, pair]) => {
        const compare = document.querySelector("subpixel-compare");
        compare.position = position;
        compare.sideBySide = pair;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const { width, height } = compare.canvas;
        return Array.from(compare.canvas.getContext("2d").getImageData(0, height >> 1, width, 1).data);
    }"""
    before, after, half, pair = (
        np.array(tab.page.evaluate(show, values)) for values in ([100, False], [0, False], [50, False], [50, True])
    )
    middle = len(half) // 8 * 4
    assert (before != after).mean() > 0.1
    assert (half[: middle - 8] == before[: middle - 8]).all()
    assert (half[middle + 8 :] == after[middle + 8 :]).all()
    ours, theirs = pair[: middle - 16], pair[middle : 2 * middle - 16]
    assert 0 < np.abs(ours[64:] - theirs[64:]).mean() < 12  # the same place, before and after


def test_fingers_move_the_divider_and_zoom(chromium: Browser, service: Served) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    context.set_default_timeout(LIMIT)
    tab = opened(context, service.address, [])
    tab.choose(service.photos / "cat.png")
    tab.wait_for_after("Preview")
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 360
    tab.page.get_by_role("button", name="Fit").tap()
    box = tab.page.locator(".stage").bounding_box()
    assert box is not None
    hand = context.new_cdp_session(tab.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": k}
            for k, (x, y) in enumerate(points)
        ]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", (0.5, 0.5))
    touch("touchMove", (0.4, 0.5))
    touch("touchMove", (0.25, 0.5))
    touch("touchEnd")
    assert int(tab.page.get_by_role("slider").get_attribute("aria-valuenow") or 0) == pytest.approx(25, abs=2)
    whole = tab.page.locator("output").inner_text()
    touch("touchStart", (0.45, 0.5), (0.55, 0.5))
    touch("touchMove", (0.3, 0.5), (0.7, 0.5))
    touch("touchMove", (0.2, 0.5), (0.8, 0.5))
    touch("touchEnd")
    assert int(tab.page.locator("output").inner_text().split()[0]) > 1.5 * int(whole.split()[0])
    context.close()


def test_many_photos_are_saved_as_one_zip(tab: Tab, service: Served) -> None:
    tab.choose(*(service.photos / name for name in ("cat.png", "fur.jpg", "scan.tif")))
    tab.page.get_by_role("button", name="Enlarge 3 photos").click()
    for name in ("cat.png", "fur.jpg", "scan.tif"):
        tab.wait(name, "done")
    name, content = tab.saved("Save all as zip")
    assert name == "subpixel.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["cat_x2.png", "fur_x2.png", "scan_x2.png"]
        assert levels(archive.read("scan_x2.png")).shape == (240, 180, 3)
    tab.row("scan.tif").locator(".pick").click()
    tab.wait_for_after("After: swift-x2")  # a TIFF, which browsers do not read


def test_what_went_wrong_is_said_in_words(tab: Tab, service: Served) -> None:
    tab.choose(service.photos / "broken.jpg", service.photos / "notes.txt")
    tab.page.get_by_role("alert").get_by_text("Left out: notes.txt (no photo", exact=False).wait_for()
    tab.page.get_by_role("button", name="Enlarge").click()
    tab.wait("broken.jpg", "failed")
    assert "damaged" in tab.state("broken.jpg") or "cannot" in tab.state("broken.jpg")
    assert tab.page.get_by_role("button", name="Again broken.jpg").is_visible()


def test_files_that_are_left_out_are_named_and_nothing_is_covered(tab: Tab, service: Served, tmp_path: Path) -> None:
    names = [f"{k}.png" for k in range(5)]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    tab.choose(service.photos / "cat.png", *(tmp_path / name for name in names))
    tab.row("cat.png").wait_for()
    said = "Left out: 0.png (it is empty), 1.png (it is empty), 2.png (it is empty) and 2 more."
    assert tab.page.get_by_role("alert").locator("span").inner_text() == said
    assert tab.page.locator("#items li").count() == 1
    for width, height in ((1000, 700), (360, 740)):
        tab.page.set_viewport_size({"width": width, "height": height})
        for button in ("Fit", "Side by side", "Close"):
            tab.page.get_by_role("button", name=button, exact=True).click(trial=True, timeout=5000)
        assert tab.page.evaluate("document.documentElement.scrollWidth") == width


def test_a_photo_that_cannot_be_shown_has_no_zoom(tab: Tab, service: Served) -> None:
    tab.choose(service.photos / "cat.png")
    tab.wait_for_after("Preview")
    assert tab.page.locator("output").inner_text().endswith(" %")
    tab.choose(service.photos / "broken.jpg")
    tab.page.locator("#report", has_text="cannot read the image").wait_for()
    assert tab.page.locator("output").inner_text() == ""


def test_a_job_is_stopped_on_the_server_too(tab: Tab, service: Served) -> None:
    tab.choose(service.photos / "huge.jpg")
    tab.page.locator("#model").select_option("edsr-base")
    tab.page.locator("#size").select_option("4")
    with tab.page.expect_response(lambda answer: answer.url.endswith("/events")) as events:
        tab.page.get_by_role("button", name="Enlarge").click()
    tab.page.get_by_role("button", name="Stop huge.jpg").click()
    tab.wait("huge.jpg", "stopped")
    job = events.value.url.removesuffix("/events")
    assert until(lambda: tab.page.request.get(job).json()["state"] == "cancelled")
    assert tab.page.get_by_role("button", name="Again huge.jpg").is_visible()


def test_a_reload_in_the_middle_goes_on(tab: Tab, service: Served, tmp_path: Path) -> None:
    """The stream of events is held back: whatever the machine, the page is reloaded while it waits."""
    tab.page.route("**/events", lambda route: None)
    tab.choose(service.photos / "cat.png")
    tab.page.locator("#model").select_option("espcn")
    tab.page.get_by_role("button", name="Enlarge").click()
    tab.wait("cat.png", "waiting")
    tab.page.unroute("**/events")
    tab.page.reload()
    tab.wait("cat.png", "done")
    assert sum(method == "POST" and "/v1/jobs" in url for method, url in tab.asked) == 1
    _, result = tab.saved("Save cat.png")
    assert (levels(result) == by_command_line(service.photos / "cat.png", tmp_path, model="espcn")).all()
    tab.page.reload()
    tab.wait("cat.png", "done")
    assert tab.saved("Save cat.png")[1] == result  # kept, not made anew
    assert sum(method == "POST" and "/v1/jobs" in url for method, url in tab.asked) == 1


def test_a_reload_while_sending_makes_one_job(tab: Tab, service: Served) -> None:
    """The server has the job, the page does not know it yet: the same key gives the same job."""
    jobs: list[str] = []

    def lose(route: Any) -> None:
        jobs.append(route.fetch().json()["id"])

    tab.page.route("**/v1/jobs?*", lose)
    tab.choose(service.photos / "cat.png")
    tab.page.get_by_role("button", name="Enlarge").click()
    until(lambda: jobs or tab.page.wait_for_timeout(50))
    tab.page.unroute("**/v1/jobs?*")
    tab.page.reload()
    tab.wait("cat.png", "done")
    assert {url.split("/")[-2] for _, url in tab.asked if url.endswith("/result")} == {jobs[0]}


def test_two_tabs_have_each_their_own_photos(tab: Tab, context: BrowserContext, service: Served) -> None:
    tab.choose(service.photos / "cat.png")
    tab.row("cat.png").wait_for()
    other = opened(context, service.address, [])
    other.choose(service.photos / "fur.jpg")
    other.row("fur.jpg").wait_for()
    for page, name in ((tab.page, "cat.png"), (other.page, "fur.jpg")):
        page.reload()
        page.locator("html[data-ready]").wait_for()
        assert page.locator(".name").all_inner_texts() == [name]
    other.page.close()
    third = opened(context, service.address, [])
    assert third.page.locator(".name").all_inner_texts() == ["fur.jpg"]  # left over, taken up


def test_addresses_of_photos_are_given_back(tab: Tab, service: Served) -> None:
    count = """() => {
        window.open_urls = 0;
        const { createObjectURL, revokeObjectURL } = URL;
        URL.createObjectURL = (blob) => (window.open_urls++, createObjectURL.call(URL, blob));
        URL.revokeObjectURL = (url) => (window.open_urls--, revokeObjectURL.call(URL, url));
    }"""
    tab.page.evaluate(count)
    tab.choose(service.photos / "cat.png", service.photos / "broken.jpg")
    tab.wait_for_after("Preview")
    tab.page.get_by_role("button", name="Enlarge 2 photos").click()
    tab.wait_for_after("After")
    assert tab.page.evaluate("window.open_urls") == 0


def test_in_the_browser_nothing_leaves_it_and_the_pixels_are_the_same(
    tab: Tab, context: BrowserContext, service: Served, tmp_path: Path
) -> None:
    local(tab)
    assert tab.page.locator("#badge").is_visible()
    assert tab.page.locator("#start").is_disabled()
    tab.choose(service.photos / "large.png")
    tab.wait_for_after("Preview: espcn")
    tab.page.get_by_role("button", name="Enlarge").click()
    tab.page.locator("li", has_text=re.compile(r"[1-9]\d? %")).wait_for()
    context.set_offline(True)  # a tile is done: what it needs is loaded
    tab.wait("large.png", "done")
    name, result = tab.saved("Save large.png")
    assert name == "large_x2.png"
    assert {method for method, _ in tab.asked} == {"GET"}
    expected = by_command_line(
        service.photos / "large.png", tmp_path, model="swift", execution={"precision": "f32", "device": "cpu"}
    )
    found = levels(result)
    assert found.shape == expected.shape == (840, 1000, 3)
    assert np.abs(found - expected).max() <= 1  # halves are rounded either way


def test_the_page_may_talk_to_no_other_host(tab: Tab, service: Served) -> None:
    blocked = """async (url) => {
        const violated = new Promise((done) => {
            document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
        });
        return [await fetch(url).then(() => "sent", () => "blocked"), await violated];
    }"""
    asked: list[str] = []
    tab.page.on("console", lambda message: asked.append(message.text))
    assert tab.page.evaluate(blocked, "http://127.0.0.2:9/") == ["blocked", "connect-src"]


def test_in_the_browser_a_run_is_stopped_between_tiles(tab: Tab, service: Served) -> None:
    local(tab)
    tab.choose(service.photos / "large.png", service.photos / "cat.png")
    tab.wait_for_after("Preview")
    tab.page.get_by_role("button", name="Enlarge 2 photos").click()
    tab.page.locator("li", has_text=re.compile(r"[1-9]\d? %")).wait_for()
    assert "in line" in tab.state("cat.png")
    tab.page.get_by_role("button", name="Stop large.png").click()
    tab.wait("large.png", "stopped")
    tab.wait("cat.png", "done")
    assert tab.state("large.png") == "Stopped"


def test_axe_finds_nothing_serious(tab: Tab, service: Served) -> None:
    if not AXE.is_file():
        pytest.skip(f"needs axe-core: npm install --no-save --prefix {ROOT} axe-core")
    found = violations(tab.page, "empty")
    tab.choose(service.photos / "cat.png", service.photos / "broken.jpg", service.photos / "notes.txt")
    tab.wait_for_after("Preview")
    tab.page.get_by_text("More", exact=True).click()
    tab.page.get_by_role("button", name="Enlarge 2 photos").click()
    tab.wait("cat.png", "done")
    tab.wait("broken.jpg", "failed")
    assert found + violations(tab.page, "done") == []


def violations(page: Page, what: str) -> list[str]:
    """In light and in dark."""
    found: list[str] = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(AXE.read_text("utf-8"))
        serious = [
            each for each in page.evaluate("axe.run()")["violations"] if each["impact"] in ("serious", "critical")
        ]
        found += [f"{what}, {scheme}: {each['id']} {[node['target'] for node in each['nodes']]}" for each in serious]
    return found

"""What the page is made of: small, nothing from elsewhere; and the files of its browser mode."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve: pip install 'subpixel[serve]'")
import httpx
from fastapi import FastAPI

from subpixel import models
from subpixel.service.page import browser

PAGE = Path(__file__).parents[2] / "subpixel/service/page"
LARGEST = 100_000  # bytes of the first page
WORKERS = {"worker.js", "animated.js", "gray.js", "enlarge.js", "networks.js", "tiles.js", "flat.js", "png.js"}
"""What is loaded when the browser mode begins."""


Get = Callable[[str], httpx.Response]


@pytest.fixture
def get() -> Get:
    """Asks for a path of the browser mode."""
    app = FastAPI()
    app.include_router(browser.router)

    async def ask(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.get(path)

    return lambda path: asyncio.run(ask(path))


def test_the_first_page_is_small() -> None:
    sizes = {
        path.name: path.stat().st_size for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js", ".svg")
    }
    assert sum(size for name, size in sizes.items() if name not in WORKERS) < LARGEST
    assert sizes.keys() >= WORKERS


@pytest.mark.parametrize(
    "path", sorted(p for p in PAGE.iterdir() if p.suffix in (".html", ".css", ".js")), ids=lambda p: p.name
)
def test_nothing_is_fetched_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"https?://", text)
    assert not re.search(r"""(src|href|from|import|fetch)\(?[=\s]*["'`]/""", text), (
        "an absolute address breaks a base path"
    )
    assert not re.search(r"\bstyle=|<style|\son\w+=|eval\(|new Function", text)


def test_modules_import_what_exists() -> None:
    for path in PAGE.glob("*.js"):
        for name, names in re.findall(r'^import (?:\{([^}]*)\} from )?"\./([\w.]+)";', path.read_text("utf-8"), re.M):
            exported = re.findall(
                r"^export (?:async )?(?:class|function\*?|const) (\w+)", (PAGE / names).read_text("utf-8"), re.M
            )
            assert {each.strip() for each in name.split(",")} - {""} <= set(exported), f"{path.name} from {names}"


def test_models_are_the_packages_own(get: Get) -> None:
    about = browser._models()
    assert sorted(about) == sorted(f"{family}-x{scale}" for family in ("espcn", "swift") for scale in (2, 3, 4))
    card = models.load("swift-x3").card
    assert (about["swift-x3"]["scale"], about["swift-x3"]["halo"]) == (3, card.halo)
    answer = get(f"/{about['swift-x3']['url']}")
    assert answer.content == models.load("swift-x3").graph
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "models/edsr-base-x2.onnx",
        "models/..%2Fcard.onnx",
        "1.0/ort.wasm.min.mjs",
        "..%2F..%2Fbrowser.py",
        "x/index.json",
    ],
)
def test_nothing_else_is_served(get: Get, path: str) -> None:
    assert get(f"/browser/{path}").status_code == 404


def test_the_program_is_served_where_it_is_installed(get: Get) -> None:
    pytest.importorskip("subpixel_browser", reason="needs the assets: pip install ./zoo/browser")
    folder = get("/browser/index.json").json()["program"]
    assert re.fullmatch(r"browser/[\d.]+/", folder)
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs"):
        answer = get(f"/{folder}{name}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/javascript")
    assert get(f"/{folder}nothing.mjs").status_code == 404


def test_without_the_program_there_is_no_browser_mode(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "subpixel_browser", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert get("/browser/index.json").json() == {"program": None, "models": {}}

"""The browser mode on WebGPU, which Chromium computes on the processor where there is no GPU: slow, and as right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from served import Server

from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import Execution

for module in ("fastapi", "uvicorn", "dbos"):
    pytest.importorskip(module, reason="needs the extra serve: pip install 'subpixel[serve]'")
pytest.importorskip("subpixel_browser", reason="needs the assets: pip install ./zoo/browser")

if TYPE_CHECKING:
    from playwright.sync_api import Page

FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"]
CAT = Path(__file__).parents[2] / "examples/chelsea.jpg"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """The page of a running service, in a Chromium that has WebGPU."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    server = Server(tmp_path / "data").start()
    with (
        playwright.sync_playwright() as running,
        running.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
    ):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no WebGPU")
        yield page
    assert server.stop() == 0


def test_webgpu_gives_what_webassembly_and_the_library_give(page: Page) -> None:
    with Image.open(CAT) as cat:
        levels = np.asarray(cat.crop((180, 100, 228, 156)))
    height, width = levels.shape[:2]
    planes = np.moveaxis(levels, 2, 0).astype(np.float32) / 255
    script = """async ([planes, height, width]) => {
        const { Networks, compared, network } = await import("./networks.js");
        const about = await (await fetch("browser/index.json")).json();
        const { gpu } = await new Networks(about, document.baseURI).open();
        const ort = await import(new URL(`${about.program}ort.jspi.min.mjs`, document.baseURI).href);
        const bytes = await (await fetch(new URL(about.models["swift-x2"].url, document.baseURI))).arrayBuffer();
        const wasm = await network(ort, new Uint8Array(bytes), "wasm");
        const fast = await network(ort, new Uint8Array(bytes), "webgpu");
        const { difference } = await compared(wasm, fast);
        return [gpu, difference, [...await fast.run(Float32Array.from(planes), height, width)]];
    }"""
    gpu, difference, high = page.evaluate(script, [planes.ravel().tolist(), height, width])
    assert gpu
    assert 0 < difference < 0.1 / 255  # two ways of adding
    found = np.moveaxis(np.array(high, np.float32).reshape(3, height * 2, width * 2), 0, 2)
    with Upscaler("swift-x2", execution=Execution("onnxruntime", "f32", 1)) as upscaler:
        expected = upscaler(levels).astype(float)
    inner = slice(24, -24)  # at the border what is flat is kept
    assert np.abs(np.clip(255 * found, 0, 255) - expected)[inner, inner].max() < 0.6  # rounded to levels there

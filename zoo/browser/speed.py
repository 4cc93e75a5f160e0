"""How fast a browser computes, beside ONNX Runtime's own program: interleaved, in one run, on one thread."""

from __future__ import annotations

import base64
import shutil
import statistics
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime as ort
import subpixel_browser
from playwright.sync_api import sync_playwright

from subpixel import models

SIDE = 216  # pixels: a tile of the page, with swift's halo
ROUNDS = 5
PROGRAM = next(Path(subpixel_browser.__file__).parent.glob("*/dist"))
OPEN = """async (model) => {
    const ort = await import("/ort.wasm.min.mjs");
    Object.assign(ort.env.wasm, { wasmPaths: location.origin + "/", numThreads: 1 });
    const bytes = Uint8Array.from(atob(model), (letter) => letter.charCodeAt(0));
    const session = await ort.InferenceSession.create(bytes);
    window.run = async (side) => {
        const low = new ort.Tensor("float32", new Float32Array(3 * side * side).fill(0.5), [1, 3, side, side]);
        const start = performance.now();
        await session.run({ low });
        return (performance.now() - start) / 1000;
    };
    await window.run(64);
}"""


class Files(SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, format: str, *args: object) -> None:
        pass


def native(graph: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(PROGRAM)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    low = np.full((1, 3, SIDE, SIDE), 0.5, np.float32)
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        for name in ("espcn-x2", "swift-x2"):
            graph = models.load(name).graph
            session = native(graph)
            page.evaluate(OPEN, base64.b64encode(graph).decode())
            times: dict[str, list[float]] = {"native": [], "browser": []}
            for _ in range(ROUNDS):
                start = time.perf_counter()
                session.run(None, {"low": low})
                times["native"].append(time.perf_counter() - start)
                times["browser"].append(page.evaluate("(side) => window.run(side)", SIDE))
            here, there = (statistics.median(each) for each in times.values())
            print(
                f"{name}: {here * 1000:.0f} ms native, {there * 1000:.0f} ms in the browser, {there / here:.2f} times"
            )
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()

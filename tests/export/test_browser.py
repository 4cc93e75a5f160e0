"""The page of docs/how-to/other-programs.md in headless Chromium: an exported file computes there what it does here."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue

import numpy as np
import pytest
from PIL import Image

from subpixel import models
from subpixel.export.export import export
from subpixel.runtimes import Execution, on_batches, open_runtime

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "node_modules"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LIMIT = 90  # seconds
SIZE = (37, 41)

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.skipif(
        not (MODULES / "onnxruntime-web").is_dir(),
        reason=f"needs onnxruntime-web: npm install --no-save --prefix {ROOT} onnxruntime-web",
    ),
]


@pytest.mark.parametrize("name", ["espcn-x2", "swift-x2"])
def test_the_documented_page_computes_the_same(name: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    site = tmp_path / "site"
    site.mkdir()
    Image.fromarray(pixels).save(site / "photo.png")
    (site / "node_modules").symlink_to(MODULES)
    (site / "index.html").write_text(_page(name))
    export(name, "onnx", site / f"{name}.onnx")

    low = (pixels.transpose(2, 0, 1)[None] / 255).astype(np.float32)
    expected = on_batches(open_runtime(models.load(name), Execution("openvino", "f32", device="cpu")).run)(low)
    answer = _answer(site, tmp_path)
    height, width = expected.shape[2:]
    assert len(answer) == expected.nbytes + height * width * 4
    high = np.frombuffer(answer, "<f4", expected.size).reshape(expected.shape)
    assert np.abs(high - expected).max() < 1e-5
    shown = np.frombuffer(answer, np.uint8, offset=expected.nbytes).reshape(height, width, 4)
    levels = np.rint(np.clip(high[0], 0, 1) * 255).transpose(1, 2, 0)
    assert np.abs(shown[..., :3] - levels).max() <= 1  # halves are rounded either way
    assert (shown[..., 3] == 255).all()


def _page(name: str) -> str:
    """The documented page for a model, which sends back its values and what its canvas shows, or its error."""
    text = (ROOT / "docs/how-to/other-programs.md").read_text("utf-8")
    (page,) = re.findall(r"^```html\n([\s\S]*?)^```$", text, re.M)
    assert page.count("espcn-x2.onnx") == page.count("</script>") == 1
    shown = 'canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data'
    send = f'\n  await fetch("answer", {{method: "POST", body: new Blob([high.data, {shown}])}});\n</script>'
    fail = 'addEventListener("error", (e) => fetch("error", {method: "POST", body: e.message}))'
    return f"<script>{fail}</script>{page}".replace("espcn-x2.onnx", f"{name}.onnx").replace("\n</script>", send)


def _answer(site: Path, folder: Path) -> bytes:
    """What the page of a site sends back."""
    log = folder / "chromium.log"
    with _served(site) as (address, answers), _opened(address, folder / "profile", log):
        try:
            path, answer = answers.get(timeout=LIMIT)
        except Empty:
            pytest.fail(f"the page sent nothing within {LIMIT} s; Chromium wrote:\n{log.read_text(errors='replace')}")
    assert path == "/answer", answer.decode()
    return answer


@contextmanager
def _served(site: Path) -> Generator[tuple[str, Queue[tuple[str, bytes]]]]:
    """The address of a folder, and a queue of what is posted there."""
    answers: Queue[tuple[str, bytes]] = Queue()

    class Handler(SimpleHTTPRequestHandler):
        timeout = 10  # a connection that the browser opens ahead and never uses

        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(site))  # pyright: ignore[reportArgumentType]

        def do_POST(self) -> None:
            answers.put((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False  # closing waits for them
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", answers
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _opened(address: str, profile: Path, log: Path) -> Generator[None]:
    """Headless Chromium on a page; all of its processes end with the context."""
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    flags += ["--enable-logging=stderr", f"--user-data-dir={profile}"]
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [str(BROWSER), *flags, address], stdout=written, stderr=written, start_new_session=True
        ) as run,
    ):
        try:
            yield
        finally:
            os.killpg(run.pid, signal.SIGKILL)

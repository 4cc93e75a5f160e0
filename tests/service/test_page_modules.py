"""The page's modules by themselves, in a real browser, against Python's own."""

from __future__ import annotations

import base64
import io
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from subpixel.inference import flat, tiles

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PAGE = Path(__file__).parents[2] / "subpixel/service/page"


class _Files(SimpleHTTPRequestHandler):
    """The page's folder, and an empty page."""

    def do_GET(self) -> None:
        if self.path == "/blank":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>blank</title>")
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page that may import the modules."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(PAGE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/blank")
        yield page
        page.close()
        server.shutdown()
        thread.join()


def _bytes(page: Page, script: str, *values: Any) -> bytes:
    """What a script's blob holds."""
    read = """const bytes = new Uint8Array(await blob.arrayBuffer());
        return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));"""
    return base64.b64decode(page.evaluate(f"async (values) => {{ {script}; {read} }}", list(values)))


def test_a_zip_holds_the_files_as_they_are(page: Page) -> None:
    contents = [bytes(range(256)) * 300, b"", b"second"]
    script = """const { zip } = await import("/zip.js");
        const files = values.map(([name, data]) => ({ name, blob: new Blob([Uint8Array.from(data)]) }));
        const blob = await zip(files)"""
    names = ["früh.png", "empty.png", "früh.png"]
    files = [[name, list(content)] for name, content in zip(names, contents, strict=True)]
    with zipfile.ZipFile(io.BytesIO(_bytes(page, script, *files))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["früh.png", "empty.png", "früh-2.png"]
        assert [archive.read(name) for name in archive.namelist()] == contents
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_png_is_written_in_bands(page: Page) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (23, 17, 3), dtype=np.uint8)
    script = """const { PngWriter } = await import("/png.js");
        const writer = new PngWriter(17, 23);
        for (const band of values) await writer.write(Uint8Array.from(band));
        const blob = await writer.finish()"""
    bands = [pixels[a:b].ravel().tolist() for a, b in ((0, 1), (1, 11), (11, 23))]
    with Image.open(io.BytesIO(_bytes(page, script, *bands))) as written:
        assert written.mode == "RGB"
        assert (np.asarray(written) == pixels).all()


@pytest.mark.parametrize(
    ("length", "tile", "halo"), [(1, 192, 12), (192, 192, 12), (193, 192, 12), (1000, 192, 4), (77, 20, 12)]
)
def test_tiles_are_those_of_the_package(page: Page, length: int, tile: int, halo: int) -> None:
    script = """async (given) => (await import("/tiles.js")).spans(...given)"""
    found = page.evaluate(script, [length, tile, halo])
    expected = tiles.spans(0, length, tile, halo, length)
    assert found == [{"start": s.start, "stop": s.stop, "low": s.low, "high": s.high} for s in expected]


@pytest.mark.parametrize("reach", [4, 12])
def test_flat_colour_is_kept_as_in_the_package(page: Page, reach: int) -> None:
    """A blank page with a few dots: some of it is flat, some is near a dot."""
    height, width, scale, halo = 50, 61, 2, 12
    rng = np.random.default_rng(3)
    patch = np.full((height, width, 3), 200, np.uint8)
    for y, x in ((3, 30), (25, 2), (48, 59), (20, 30)):
        patch[y, x] = rng.integers(0, 100, 3)
    made = rng.integers(0, 256, (height * scale, width * scale, 3), dtype=np.uint8)
    expected = made.copy()
    rows, columns = (tiles.spans(0, n, 30, halo, n) for n in (height, width))
    for row in rows:
        for column in columns:
            own = expected[row.start * scale : row.stop * scale, column.start * scale : column.stop * scale]
            window = patch[row.low : row.high, column.low : column.high]
            flat.keep_flat(window, row, column, reach, own)
    assert (expected != made).any()
    assert (expected == made).any()
    assert (_kept(page, patch, made, reach, scale) == expected).all()


def _kept(page: Page, patch: np.ndarray, made: np.ndarray, reach: int, scale: int) -> np.ndarray:
    script = """async ([rgba, made, width, height, reach, scale]) => {
        const { keepFlat } = await import("/flat.js");
        const { spans } = await import("/tiles.js");
        const out = [];
        for (const row of spans(height, 30, 12)) {
            const from = row.start * scale * width * scale * 3, to = row.stop * scale * width * scale * 3;
            const band = { levels: Uint8Array.from(made.slice(from, to)), width: width * scale };
            for (const column of spans(width, 30, 12)) {
                const window = { width: column.high - column.low, height: row.high - row.low, rgba: [] };
                for (let y = row.low; y < row.high; y++) {
                    window.rgba.push(...rgba.slice(4 * (y * width + column.low), 4 * (y * width + column.high)));
                }
                keepFlat(window, row, column, reach, scale, band);
            }
            out.push(...band.levels);
        }
        return out;
    }"""
    height, width = patch.shape[:2]
    rgba = np.dstack([patch, np.full((height, width), 255, np.uint8)])
    values = [rgba.ravel().tolist(), made.ravel().tolist(), width, height, reach, scale]
    return np.asarray(page.evaluate(script, values), np.uint8).reshape(made.shape)


def test_the_level_of_a_value_is_rounded_as_in_the_package(page: Page) -> None:
    script = """async (values) => {
        const { putTile } = await import("/tiles.js");
        const span = { start: 0, stop: 1, low: 0, high: 1 };
        return values.map((value) => {
            const band = { levels: new Uint8Array(3), width: 1 };
            putTile(Float32Array.from([value, value, value]), span, span, 1, band);
            return band.levels[0];
        });
    }"""
    assert page.evaluate(script, [-0.2, 0, 0.5 / 255, 0.49 / 255, 254.6 / 255, 1, 1.3]) == [0, 0, 1, 0, 255, 255, 255]


def test_events_are_read_across_the_pieces_they_come_in(page: Page) -> None:
    text = 'id: 1\nevent: job\ndata: {"state": "waiting"}\n\n: \n\nid: 2\r\ndata: {"state":\r\ndata: "done"}\r\n\r\n'
    script = """async (pieces) => {
        const { events } = await import("/server.js");
        const found = [];
        for await (const job of events(new Response(new Blob(pieces)))) found.push(job.state);
        const stream = new ReadableStream({ start(controller) {
            for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
            controller.close();
        } });
        for await (const job of events(new Response(stream))) found.push(job.state);
        return found;
    }"""
    assert page.evaluate(script, [text[k : k + 7] for k in range(0, len(text), 7)]) == ["waiting", "done"] * 2


def test_the_time_left_is_told_when_it_is_known(page: Page) -> None:
    script = """async (calls) => {
        const { timeLeft } = await import("/words.js");
        return calls.map((call) => timeLeft(...call));
    }"""
    calls = [[0.01, 9000], [0.5, 1000], [0.5, 10_000], [0.1, 60_000], [0.99, 60_000]]
    assert page.evaluate(script, calls) == ["", "", "about 10 s left", "about 9 min left", "a moment left"]


def test_what_is_under_the_pointer_stays_there_when_one_zooms(page: Page) -> None:
    script = """async () => {
        const view = await import("/view.js");
        const photo = { width: 400, height: 300 }, pane = { width: 800, height: 500 }, at = { x: 700, y: 120 };
        const first = view.zoomed(view.fit(photo, pane), 3, at, photo, pane);
        const later = view.zoomed(first, 1.5, at, photo, pane);
        const edge = view.moved(later, 1e6, 1e6, photo, pane);
        return [view.fit(photo, pane).scale, view.toPhoto(first, at, pane), view.toPhoto(later, at, pane),
            view.toPhoto(edge, { x: 0, y: 0 }, pane), view.cropAround({ x: 399, y: 2 }, 100, photo)];
    }"""
    whole, first, later, corner, crop = page.evaluate(script)
    assert whole == pytest.approx(500 / 300)
    assert later == pytest.approx(first)
    assert corner == pytest.approx({"x": 0, "y": 0})
    assert crop == {"x": 300, "y": 0, "width": 100, "height": 100}


@pytest.mark.parametrize(("mode", "gray"), [("L", True), ("LA", True), ("RGB", False), ("RGBA", False), ("P", False)])
def test_a_png_says_whether_it_is_gray(page: Page, mode: str, gray: bool) -> None:
    assert _is_gray(page, mode, "PNG") is gray


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(("mode", "gray"), [("L", True), ("RGB", False)])
def test_a_jpeg_says_whether_it_is_gray(page: Page, mode: str, gray: bool, progressive: bool) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a long description " * 1000  # before the frame
    assert _is_gray(page, mode, "JPEG", exif=exif, progressive=progressive) is gray


def test_what_is_no_image_is_not_gray(page: Page) -> None:
    script = "async (data) => (await import('/gray.js')).isGray(new Blob([Uint8Array.from(data)]))"
    for data in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"RIFF1234WEBP" * 9):
        assert page.evaluate(script, list(data)) is False


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "AVIF", "JPEG"])
def test_a_file_says_whether_it_moves(page: Page, file_format: str, frames: int) -> None:
    file = io.BytesIO()
    first, *more = [
        Image.effect_noise((90, 60), 40 + k).convert("P" if file_format == "GIF" else "RGB") for k in range(frames)
    ]
    moves = frames > 1 and file_format != "JPEG"
    first.save(file, file_format, **({"save_all": True, "append_images": more, "duration": 50} if moves else {}))
    assert _is_animated(page, file.getvalue()) is moves


def test_what_is_cut_or_no_image_stands_still(page: Page) -> None:
    for data in (
        b"",
        b"GIF89a",
        b"GIF89a" + b"\xff" * 99,
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 9,
        b"RIFF",
    ):
        assert _is_animated(page, data) is False


def _is_animated(page: Page, data: bytes) -> bool:
    script = "async (data) => (await import('/animated.js')).isAnimated(new Blob([Uint8Array.from(data)]))"
    return page.evaluate(script, list(data))


def _is_gray(page: Page, mode: str, file_format: str, **options: Any) -> bool:
    file = io.BytesIO()
    Image.new(mode, (20, 10)).save(file, file_format, **options)
    script = "async (data) => (await import('/gray.js')).isGray(new Blob([Uint8Array.from(data)]))"
    return page.evaluate(script, list(file.getvalue()))

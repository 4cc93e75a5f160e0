"""One upscaler for many threads and processes: the same pixels as one after the other."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from subpixel import Encoding, Execution, Image, Upscaler, read, upscale_file, write
from subpixel.inference.plan import Plan

RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (20 + 3 * k, 31, 3), dtype=np.uint8) for k in range(16)]


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime", "torch"])
def test_eight_threads_give_the_serial_results_bit_for_bit(runtime: str) -> None:
    execution = Execution(runtime, "f32")
    with Upscaler("espcn-x2", tile=16, execution=execution) as upscaler:
        serial = [upscaler(image) for image in IMAGES]
        floats = [upscaler(image / np.float32(255)) for image in IMAGES]
    with Upscaler("espcn-x2", tile=16, execution=execution) as shared, ThreadPoolExecutor(8) as pool:
        together = list(pool.map(shared, [*IMAGES, *(image / np.float32(255) for image in IMAGES)]))
    for expected, result in zip([*serial, *floats], together, strict=True):
        np.testing.assert_array_equal(result, expected)


def test_it_can_be_pickled() -> None:
    with Upscaler("espcn", scale=3, tile=16, execution=Execution(precision="f32")) as upscaler:
        expected = upscaler(IMAGES[0])
        again = pickle.loads(pickle.dumps(upscaler))
    assert (again.factor, again.tile, again.execution) == (3, 16, upscaler.execution)
    np.testing.assert_array_equal(again(IMAGES[0]), expected)


def test_bytes_open_files_paths_and_arrays_are_one_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write(path, Image.from_array(IMAGES[0]))
    with Upscaler("espcn-x2", execution=Execution(precision="f32")) as upscaler, path.open("rb") as file:
        expected = upscaler(IMAGES[0])
        for given in (path, str(path), path.read_bytes(), file):
            np.testing.assert_array_equal(upscaler(given).to_array(), expected)


@pytest.mark.parametrize("dtype", [">u2", "<u2", "u1"])
def test_equal_values_give_equal_results(dtype: str) -> None:
    values = IMAGES[1].astype(np.uint16) * (257 if dtype[-1] == "2" else 1)
    with Upscaler("espcn-x2", execution=Execution(precision="f32")) as upscaler:
        expected = upscaler(np.ascontiguousarray(values.astype(dtype).astype(dtype.replace(">", "<"))))
        for strided in (
            values.astype(dtype),
            np.asfortranarray(values.astype(dtype)),
            values.astype(dtype)[::-1][::-1],
        ):
            np.testing.assert_array_equal(upscaler(strided), expected)


def test_a_file_is_told_of_and_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subpixel.inference.file._ENCODED", 2000)
    write(tmp_path / "a.png", Image.from_array(IMAGES[3]))
    rows: list[int] = []

    def on_progress(plan: Plan, done: int) -> None:
        rows.append(done)
        if done > 20:
            raise KeyboardInterrupt

    with Upscaler("nearest", scale=2) as upscaler:
        with pytest.raises(KeyboardInterrupt):
            upscale_file(tmp_path / "a.png", tmp_path / "b.png", upscaler, on_progress=on_progress)
        assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
        assert rows == [0, 10, 20, 30]
        note = upscale_file(tmp_path / "a.png", tmp_path / "b.webp", upscaler, Encoding(lossless=True))
    assert note is None
    np.testing.assert_array_equal(read(tmp_path / "b.webp").to_array(), IMAGES[3].repeat(2, 0).repeat(2, 1))

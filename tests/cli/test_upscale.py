"""`subpixel upscale` through its entry point: results, statuses, what is said, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel.cli.progress import Tally
from subpixel.errors import BadRequest
from subpixel.images import Encoding, Image, Metadata, read, write
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Finished, Progress
from subpixel.jobs.resumption import EXISTS
from subpixel.runtimes import Execution

Call = Callable[..., tuple[int, str, str]]

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def photo(path: Path, shift: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Image.from_array(np.roll(NOISE, shift, 1)))
    return path


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def spawn(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "subpixel", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]


def test_a_file(call: Call, model: str, tmp_path: Path) -> None:
    source = photo(tmp_path / "ein Photo ü.png")
    status, out, err = call("upscale", source, "-m", model, "--precision", "f32")
    target = tmp_path / "ein Photo ü_x2.png"
    assert (status, out) == (0, "")
    chosen, summary = err.splitlines()
    assert chosen == "tiny-x2 to 100x80; tiny-x2: openvino f32 on cpu; tile 50x40"
    assert summary.startswith(f"{target}: 0.0 megapixels in ")
    wanted = Upscaler(model, execution=Execution(precision="f32"))(NOISE)
    assert np.array_equal(read(target).to_array(), wanted)
    for options, sides in (
        (["-s", 2.7], (108, 135)),
        (["--size", "90x90", "--fit"], (72, 90)),
        (["-s", 8], (320, 400)),
    ):
        assert call("upscale", source, "-m", model, "-o", tmp_path / "o.png", "--overwrite", *options)[0] == 0
        assert read(tmp_path / "o.png").to_array().shape == (*sides, 3)


def test_options_reach_the_upscaler(call: Call, model: str, tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    options = ["--tile", 32, "--runtime", "onnxruntime", "--device", "cpu", "--threads", 1, "--tta"]
    status, _, err = call("upscale", source, "-m", model, *options, "--format", "tif", "--compress")
    assert status == 0
    assert err.startswith("tiny-x2 to 100x80; tiny-x2: onnxruntime f32 on cpu; tile 32x32; self-ensemble of 8\n")
    wanted = Upscaler(model, tile=32, tta=True, execution=Execution("onnxruntime"))(NOISE)
    assert np.abs(read(tmp_path / "a_x2.tif").to_array().astype(int) - wanted).max() <= 1
    sizes = []
    for quality in (30, 95):
        assert call("upscale", source, "-m", "bicubic", "-o", tmp_path / f"{quality}.jpg", "--quality", quality)[0] == 0
        sizes.append((tmp_path / f"{quality}.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2


def test_a_folder_is_mirrored_and_done_only_once(call: Call, tmp_path: Path) -> None:
    for i, name in enumerate(("a.png", "b c/d.jpg", "b c/e/f.webp", "g.tif")):
        photo(tmp_path / "in" / name, i)
    (tmp_path / "in/notes.txt").write_text("no image")
    arguments = ("upscale", tmp_path / "in", "-o", tmp_path / "out", "-m", "bicubic")
    status, _, err = call(*arguments)
    assert status == 0
    assert "4 images: 0.0 megapixels" in err
    assert names(tmp_path / "out") == ["a.png", "b c/d.jpg", "b c/e/f.webp", "g.tif"]
    for i, name in ((0, "a.png"), (3, "g.tif")):
        assert np.array_equal(read(tmp_path / "out" / name).to_array(), Upscaler("bicubic")(np.roll(NOISE, i, 1)))
    (tmp_path / "out/g.tif").unlink()
    (tmp_path / "out/a.png").write_text("kept")
    status, _, err = call(*arguments)
    assert status == 0
    assert "3 skipped" in err
    assert (tmp_path / "out/a.png").read_text() == "kept"
    assert np.array_equal(read(tmp_path / "out/g.tif").to_array(), Upscaler("bicubic")(np.roll(NOISE, 3, 1)))
    assert call(*arguments, "--overwrite")[0] == 0
    assert np.array_equal(read(tmp_path / "out/a.png").to_array(), Upscaler("bicubic")(NOISE))
    status, _, err = call(*arguments)
    assert (status, err) == (0, "4 skipped, for the result exists (--overwrite does it again)\n")


def test_a_broken_file_does_not_stop_the_rest(call: Call, tmp_path: Path) -> None:
    for name in ("a.png", "c.png", "z.png"):
        photo(tmp_path / name)
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:3000])
    (tmp_path / "y.png").touch()
    status, out, err = call("upscale", tmp_path, tmp_path / "missing.png", "-o", tmp_path / "out", "-m", "bicubic")
    assert (status, out) == (1, "")
    assert "3 images" in err
    assert "3 failed:" in err
    failures = sorted(line.strip() for line in err.splitlines()[-3:])
    assert f"cannot read {tmp_path / 'b.png'}: it is damaged" in failures[0]
    assert failures[1] == f"cannot read {tmp_path / 'missing.png'}: no such file"
    assert failures[2] == f"cannot read {tmp_path / 'y.png'}: it is empty"
    assert names(tmp_path / "out") == ["a.png", "c.png", "z.png"]


def claiming(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99999))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file"),
        (b"", "it is empty"),
        (b"hello, world\n" * 20, "not an image"),
        (claiming(100_000), "it claims 100,000 x 100,000 pixels"),
        (claiming(30_000), "damaged"),
    ],
)
def test_a_bad_image(call: Call, tmp_path: Path, content: bytes | None, why: str) -> None:
    source = tmp_path / "a.png"
    if content is not None:
        source.write_bytes(content)
    before = names(tmp_path)
    status, out, err = call("upscale", source, "-m", "bicubic", "-o", tmp_path / "new/folder/")
    assert (status, out) == (2, "")
    assert err.startswith(f"subpixel: cannot read {source}: ")
    assert why in err
    assert err.count("\n") == 1
    assert names(tmp_path) == before
    assert not (tmp_path / "new").exists()


MISUSE = (
    "-s 0|-s -2|-s nan|-s inf|-s 1e9|-s 2 --size 9x9|--size big|-m bicubc|-m no/such.onnx|--tile -1|"
    "--format bmp|-o a.png|-o a.png/b.png|-o - --format svg"
)


@pytest.mark.parametrize("arguments", [line.split() for line in MISUSE.split("|")], ids=" ".join)
def test_misuse_is_one_line(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    photo(Path("a.png"))
    status, out, err = call("upscale", "a.png", *(arguments if "-m" in arguments else ["-m", "bicubic", *arguments]))
    assert (status, out) == (2, "")
    assert err.startswith("subpixel: ")
    assert err.count("\n") == 1
    assert names(tmp_path) == ["a.png"]


@pytest.mark.parametrize("arguments", [
    ["--runtime", "openvin"], ["--precision", "f64"], ["--device", "abacus"],
    ["--runtime", "onnxruntime", "--precision", "bf16"],
])  # fmt: skip
def test_what_concerns_all_images_stops_them_all(call: Call, model: str, tmp_path: Path, arguments: list[str]) -> None:
    for name in ("a.png", "b.png", "c.png"):
        photo(tmp_path / name)
    status, _, err = call("upscale", tmp_path, "-o", tmp_path / "out", "-m", model, *arguments)
    assert status == 2
    assert err.startswith("subpixel: ")
    assert err.count("\n") == 1
    assert names(tmp_path) == ["a.png", "b.png", "c.png"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--threads", "0"], ["--quality", "101"], ["--tile", "x"], ["--nonsense"], []])
def test_usage_errors(call: Call, tmp_path: Path, arguments: list[str]) -> None:
    status, out, err = call("upscale", *([photo(tmp_path / "a.png"), "-m", "bicubic", *arguments] if arguments else []))
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    assert names(tmp_path) == (["a.png"] if arguments else [])


def test_models_that_are_not_ours(call: Call, tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    for content in (b"", b"junk" * 99):
        (tmp_path / "m.onnx").write_bytes(content)
        status, _, err = call("upscale", source, "-m", tmp_path / "m.onnx")
        assert status == 2
        assert err.startswith("subpixel: cannot use the model file")
        assert err.count("\n") == 1


def test_what_a_format_loses_is_said(call: Call, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    write(source, Image.from_array(NOISE.astype(np.uint16) * 257, Metadata(depth=16)))
    _, _, err = call("upscale", source, "-m", "bicubic", "--format", "jpg")
    assert f"note: {tmp_path / 'a_x2.jpg'}: JPEG stores 8 bits instead of 16 bits\n" in err
    assert "note:" not in call("upscale", source, "-m", "bicubic")[2]
    write(source, Image.from_array(np.dstack([NOISE, NOISE[..., :1]])))
    status, _, err = call("upscale", source, "-m", "bicubic", "-o", tmp_path / "b.jpg")
    assert status == 2
    assert "JPEG has no alpha" in err
    assert not (tmp_path / "b.jpg").exists()


def test_standard_input_and_output(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    process = spawn("upscale", "-", "-m", "bicubic", "-s", 3, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, err = process.communicate(source.read_bytes())
    assert process.returncode == 0
    assert np.array_equal(read(out).to_array(), Upscaler("bicubic", scale=3)(NOISE))
    assert err.startswith(b"bicubic to 150x120\n")
    process = spawn("upscale", "-", "-m", "bicubic", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, err = process.communicate(b"")
    assert (process.returncode, out) == (2, b"")
    assert err == b"subpixel: cannot read standard input: it is empty\n"


def test_a_closed_pipe_is_left_quietly(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    reading, writing = os.pipe()
    process = spawn("upscale", source, "-o", "-", "-m", "bicubic", "-s", 20, stdout=writing)
    os.close(writing)
    os.close(reading)
    err = process.communicate()[1].decode()
    assert process.returncode == 1
    assert err.splitlines() == ["bicubic to 1000x800"]


def test_a_full_disk(tmp_path: Path) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("needs /dev/full")
    with open("/dev/full", "wb") as full:
        process = spawn("upscale", photo(tmp_path / "a.png"), "-o", "-", "-m", "bicubic", stdout=full)
        err = process.communicate()[1].decode().splitlines()
    assert process.returncode == 2
    assert err[-1] == "subpixel: cannot write standard output: no space left on device"


def test_a_folder_in_which_nobody_may_write(call: Call, tmp_path: Path) -> None:
    for name in "ab":
        write(tmp_path / f"{name}.png", Image(np.zeros((4, 4, 3), np.float32)))
    images = [tmp_path / f"{name}.png" for name in "ab"]
    if os.geteuid() == 0:  # root may write anywhere but here
        status, out, err = call("upscale", *images, "-o", "/proc", "-m", "bicubic")
        assert (status, out) == (1, "")
        lines = sorted(err.splitlines()[-2:])  # in the order in which they failed
        for image, line in zip(images, lines, strict=True):
            assert line == f"  {image}: cannot write /proc/{image.name}: no such file or directory"
        return
    protected = tmp_path / "protected"
    protected.mkdir(mode=0o500)
    status, out, err = call("upscale", *images, "-o", protected, "-m", "bicubic")
    assert (status, out, err) == (2, "", f"subpixel: cannot write {protected}: the folder is write-protected\n")
    assert list(protected.iterdir()) == []


def test_ctrl_c_leaves_nothing_half_done_and_the_next_run_goes_on(call: Call, tmp_path: Path) -> None:
    images = [f"{i:02}.png" for i in range(10)]
    for i, name in enumerate(images):
        photo(tmp_path / "in" / name, i)
    arguments = ("upscale", tmp_path / "in", "-o", tmp_path / "out", "-m", "lanczos", "-s", 60)
    process = spawn(*arguments)
    out = tmp_path / "out"
    until = time.monotonic() + 60
    while not (done := [p for p in names(out) if not p.startswith(".")]) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert done
    assert "Traceback" not in err
    assert "subpixel: stopped; " in err
    kept = names(out)
    assert not [name for name in kept if name.startswith(".")]
    assert 0 < len(kept) < len(images)
    times = {name: (out / name).stat().st_mtime_ns for name in kept}
    status, _, err = call(*arguments)
    assert status == 0
    assert f"{len(kept)} skipped" in err
    assert names(out) == images
    assert times == {name: (out / name).stat().st_mtime_ns for name in kept}
    assert read(out / images[-1]).to_array().shape == (2400, 3000, 3)


def three(folder: Path) -> tuple[object, ...]:
    for name in ("a.png", "b.png"):
        photo(folder / "in" / name)
    (folder / "in/c.png").write_bytes(b"hello")
    return ("upscale", folder / "in", "-o", folder / "out", "-m", "bicubic")


def test_a_batch_says_a_line_for_each_image(call: Call, tmp_path: Path) -> None:
    status, out, err = call(*three(tmp_path))
    assert (status, out) == (1, "")
    assert err.count(f"/3 {tmp_path}/out/") == 2
    assert f"/3 failed: cannot read {tmp_path}/in/c.png: " in err
    assert err.splitlines()[-1].startswith(f"  cannot read {tmp_path}/in/c.png")


def test_quiet_says_only_what_failed(call: Call, tmp_path: Path) -> None:
    status, out, err = call(*three(tmp_path), "--quiet")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith(f"  cannot read {tmp_path}/in/c.png")
    (tmp_path / "in/c.png").unlink()
    assert call(*three(tmp_path)[:5], "-m", "lanczos", "-q")[1:] != ("", "")
    (tmp_path / "in/c.png").unlink()
    assert call("upscale", tmp_path / "in", "-o", tmp_path / "out", "-m", "lanczos", "-q") == (0, "", "")


def test_verbose_says_why(call: Call, tmp_path: Path) -> None:
    arguments = three(tmp_path)
    err = call(*arguments, "-v")[2]
    assert f"{tmp_path}/in/a.png: bicubic to 100x80\n" in err
    assert f"{tmp_path}/in/b.png: bicubic to 100x80\n" in err
    assert f"{tmp_path}/in/a.png skipped, for the result exists" in call(*arguments, "--verbose")[2]


def test_json_is_a_line_for_each_image_and_the_sum(call: Call, tmp_path: Path) -> None:
    os.rename(photo(tmp_path / "in/x.png"), os.fsencode(tmp_path) + b"/in/caf\xe9.png")
    status, out, err = call(*three(tmp_path), "--json")
    assert (status, err) == (1, "")
    *lines, total = map(json.loads, out.splitlines())
    by_name = {Path(line["source"]).name: line for line in lines}
    assert by_name["a.png"] == {
        "status": "done", "source": f"{tmp_path}/in/a.png", "target": f"{tmp_path}/out/a.png", "pixels": 8000,
    }  # fmt: skip
    assert by_name["caf\udce9.png"]["status"] == "done"
    assert by_name["c.png"]["status"] == "failed"
    assert "not an image" in by_name["c.png"]["error"]
    assert total.pop("seconds") >= 0
    assert total == {"done": 3, "skipped": 0, "failed": 1, "pixels": 24000}
    again = [json.loads(line) for line in call(*three(tmp_path), "--json")[1].splitlines()]
    assert {line["reason"] for line in again if line.get("status") == "skipped"} == {EXISTS}
    assert call(*three(tmp_path), "--json", "-q")[0] == 2
    assert call("upscale", tmp_path / "in/a.png", "-o", "-", "--json")[0] == 2


def test_pixels_of_an_image_that_fails_do_not_count() -> None:
    tally, job = Tally(2), Job("a.png", "b.png")
    tally.add(Progress(job, 500, 0.5, ""))
    tally.add(Finished(job, None, BadRequest("the disk is full")))
    assert tally.pixels == 0


def test_another_model_and_a_changed_source_are_made_anew(call: Call, tmp_path: Path) -> None:
    source, target = photo(tmp_path / "a.png"), tmp_path / "a_x2.png"
    for model in ("bicubic", "nearest"):
        assert call("upscale", source, "-m", model)[0] == 0
        assert np.array_equal(read(target).to_array(), Upscaler(model)(NOISE))
    photo(source, shift=3)
    assert call("upscale", source, "-m", "nearest")[0] == 0
    assert np.array_equal(read(target).to_array(), Upscaler("nearest")(np.roll(NOISE, 3, 1)))
    before = target.stat().st_mtime_ns
    assert "1 skipped" in call("upscale", source, "-m", "nearest")[2]
    assert target.stat().st_mtime_ns == before
    assert call("upscale", tmp_path, "-m", "nearest", "-s", 4)[0] == 0
    assert names(tmp_path) == ["a.png", "a_x2.png", "a_x4.png"]


def test_a_pipe_is_read(tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    command = f"{sys.executable} -m subpixel upscale <(cat {source}) -m bicubic -o {tmp_path}/b.png"
    subprocess.run(["bash", "-c", command], check=True, capture_output=True, timeout=60)
    process = spawn("upscale", "/dev/stdin", "-m", "bicubic", "-o", tmp_path / "c.png", stdin=subprocess.PIPE)
    process.communicate(source.read_bytes(), timeout=60)
    for name in "bc":
        assert np.array_equal(read(tmp_path / f"{name}.png").to_array(), Upscaler("bicubic")(NOISE))


def test_names_do_nothing_to_a_terminal(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[31m.png").write_bytes(b"hello")
    photo(tmp_path / "b\x07.png")
    err = call("upscale", tmp_path, "-o", tmp_path / "out", "-m", "bicubic", "-v")[2]
    assert "\x1b" not in err
    assert "\x07" not in err
    assert "a\\n\\x1b[31m.png: not an image" in err


def test_a_shape_that_changes_is_said_and_tiny_tiles_are_refused(call: Call, tmp_path: Path) -> None:
    source = photo(tmp_path / "a.png")
    arguments = ("upscale", source, "-m", "bicubic", "--overwrite", "--size")
    assert "to 100x100; the shape changes (--fit keeps it)" in call(*arguments, "100x100")[2]
    for same in ("101x80", "100x", "x77"):
        assert "--fit keeps it" not in call(*arguments, same)[2]
    assert "--fit keeps it" not in call(*arguments, "100x100", "--fit")[2]
    status, _, err = call("upscale", source, "-m", "bicubic", "--tile", 1)
    assert (status, err) == (2, "subpixel: tile 1; expected auto, 0 for the whole image, or 16 or more\n")


def test_a_quality_is_refused_where_it_is_known_that_there_is_none(call: Call, tmp_path: Path) -> None:
    source, asked = photo(tmp_path / "in/a.png"), ("-m", "nearest", "--quality", 5)
    for output, name in (("b.png", "PNG"), ("b.TIF", "TIFF"), ("b.gif", "GIF")):
        status, out, err = call("upscale", source, *asked, "-o", tmp_path / output)
        said = f"subpixel: quality 5: {name} has none; choose jpg, webp or avif\n"
        assert (status, out, err) == (2, "", said)
    assert call("upscale", source, *asked, "--format", "png")[0] == 2
    for output in ("b.jpg", "b.webp", "b.avif"):
        assert call("upscale", source, *asked, "-o", tmp_path / output)[0] == 0
    assert names(tmp_path) == ["b.avif", "b.jpg", "b.webp", "in/a.png"]
    write(tmp_path / "in/c.jpg", Image.from_array(NOISE))
    assert call("upscale", tmp_path / "in", *asked, "-o", f"{tmp_path}/out.png/")[0] == 0  # a folder of both
    assert names(tmp_path / "out.png") == ["a.png", "c.jpg"]


def test_a_lossless_webp_stays_one_unless_told_otherwise(call: Call, tmp_path: Path) -> None:
    write(tmp_path / "a.webp", Image.from_array(NOISE), Encoding(lossless=True))
    os.utime(tmp_path / "a.webp", ns=(10**18, 10**18))
    target = tmp_path / "b.webp"
    assert call("upscale", tmp_path / "a.webp", "-m", "nearest", "-o", target, "--keep-time")[0] == 0
    assert np.array_equal(read(target).to_array()[::2, ::2], NOISE)
    assert target.stat().st_mtime_ns == 10**18
    assert call("upscale", tmp_path / "a.webp", "-m", "nearest", "-o", target, "--overwrite", "--lossy")[0] == 0
    assert not np.array_equal(read(target).to_array()[::2, ::2], NOISE)
    assert target.stat().st_mtime_ns > 10**18


def test_names_that_are_not_utf8_are_read_and_written_in_every_format(call: Call, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/in/d\xe9"
    for ending in ("png", "jpg", "webp", "tif", "avif"):
        os.makedirs(folder, exist_ok=True)
        os.rename(photo(tmp_path / f"x.{ending}"), folder + b"/caf\xe9_" + ending.encode() + b"." + ending.encode())
    with open(folder + b"/bad\xe9.png", "wb") as file:
        file.write(photo(tmp_path / "y.png").read_bytes()[:2000])
    status, _, err = call("upscale", tmp_path / "in", "-o", tmp_path / "out", "-m", "bicubic")
    assert status == 1
    assert err.splitlines()[-1].startswith(f"  cannot read {tmp_path}/in/d\\xe9/bad\\xe9.png: it is damaged")
    results = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    made = {path.suffix: read(path) for path in results}
    assert made.keys() == {".png", ".jpg", ".webp", ".tif", ".avif"}
    assert {image.pixels.shape for image in made.values()} == {(80, 100, 3)}
    assert np.array_equal(made[".tif"].to_array(), Upscaler("bicubic")(NOISE))

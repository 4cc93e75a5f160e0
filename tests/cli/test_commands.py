"""The command line: its commands, help and start-up time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from injected_faults import injected

from subpixel import __version__
from subpixel.benchmarks import speed
from subpixel.cli.models import PURPOSES
from subpixel.images import Image, read, write
from subpixel.models import load, names

Call = Callable[..., tuple[int, str, str]]
HEAVY = {"numpy", "pyvips", "openvino", "onnx", "onnxruntime", "torch", "PIL"}


def test_help_is_complete_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom subpixel.cli import main\n"
        "try: main(sys.argv[1:])\nfinally: print('modules', *sorted(m for m in sys.modules if '.' not in m))"
    )
    for arguments in (["--help"], ["upscale", "--help"], ["--version"]):
        out = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        ).stdout
        assert not HEAVY & set(out.partition("modules ")[2].split())
    assert f"subpixel {__version__}" in out


def test_a_disk_that_fails_is_one_line(call: Call, tmp_path: Path) -> None:
    with injected("scandir", 1) as fault:
        status, _, told = call("models")
    assert fault.hit
    assert (status, told.count("\n")) == (2, 1)
    assert told.startswith("subpixel: cannot use ")
    assert told.endswith(": injected fault\n")


def test_each_command_has_help_with_examples(call: Call) -> None:
    for command in ("upscale", "models", "compare", "doctor"):
        assert command in call("--help")[1]
        status, out, _ = call(command, "--help")
        assert status == 0
        assert f"subpixel {command} " in out.partition("Examples")[2]


def test_module_and_misuse() -> None:
    done = subprocess.run([sys.executable, "-m", "subpixel", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"subpixel {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "subpixel", "upscal"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["upscal"], "No such command 'upscal'"),
        (["data", "chek"], "No such command 'chek'"),
        (["batch"], "Missing command"),
        (["upscale"], "Missing argument 'INPUTS'"),
        (["upscale", "a.png", "--overwirte"], "No such option: --overwirte"),
        (["upscale", "a.png", "-s", "two"], "Invalid value for '-s' / '--scale'"),
        (["upscale", "a.png", "--denoise", "much"], "Invalid value for --denoise"),
        (["upscale", "a.png", "--threads", "0"], "Invalid value for '--threads'"),
        (["video", "a.mkv"], "Missing option"),
    ],
)
def test_misuse_is_told_in_one_line(call: Call, arguments: list[str], said: str) -> None:
    status, out, error = call(*arguments)
    assert (status, out) == (2, "")
    assert error.startswith(f"subpixel: {said}")
    assert error.count("\n") == 1
    assert "--help\n" in error


def test_nothing_at_all_shows_the_help(call: Call) -> None:
    status, out, error = call()
    assert (status, error) == (2, "")
    assert "Usage" in out


def test_doctor(call: Call) -> None:
    status, out, _ = call("doctor", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["subpixel"] == __version__
    assert report["cores"] >= 1
    assert report["runtimes"]["openvino"]["devices"]
    assert report["auto"]["runtime"] == "openvino"
    assert "openvino" in call("doctor")[1]


def test_models(call: Call, model: str, tmp_path: Path) -> None:
    status, out, _ = call("models", model)
    assert status == 0
    assert "tiny-x2" in out
    assert "swift (" in out
    assert "Apache-2.0" in out
    card = json.loads(call("models", model, "--json")[1])
    assert (card["name"], card["scale"], card["config"]["channels"]) == ("tiny-x2", 2, 16)
    assert call("models", model, "--verify")[1] == f"tiny-x2: sha256 {card['sha256']} is right\n"
    assert isinstance(json.loads(call("models", "--json")[1]), list)
    assert call("models", "--verify")[0] == 0
    assert call("models", "--verify", "--json")[0] == 2
    measured = json.loads(call("models", model, "--json", "--measure")[1])
    assert measured.pop("ms_per_megapixel") > 0
    assert measured == card
    damaged = bytearray(Path(model).read_bytes())
    at = damaged.index(b'"sha256":"') + 12
    damaged[at] = ord("0") if damaged[at] != ord("0") else ord("1")
    (tmp_path / "bad.onnx").write_bytes(damaged)
    status, out, err = call("models", tmp_path / "bad.onnx", "--verify")
    assert (status, out) == (2, "")
    assert "its card says" in err
    assert call("models", "no-such")[0] == 2


def test_the_guide_has_a_line_for_each_family(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    lines = call("models")[1].splitlines()
    rows = {line.split()[0]: line for line in lines[1 : lines.index("")]}
    families = {load(name).card.family for name in names()}
    assert {name.rstrip("*") for name in rows} == families == PURPOSES.keys()
    assert {name for name in rows if name.endswith("*")} == {"swift*", "swift-deblur*", "restore*", "restore-blind*"}
    card = load("swift-x2").card
    assert f"{card.score('Set5'):.2f}" in rows["swift*"]
    assert f"{load('srgan-x4').card.score('BSD100', 'lpips'):.3f}" in rows["srgan"]
    assert all(PURPOSES[name.rstrip("*")] in line for name, line in rows.items())


def test_a_family_and_its_speed(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "per_megapixel", lambda name: 0.25 if name == "espcn-x2" else 0.5)
    header, *rows = call("models", "ESPCN", "--measure")[1].splitlines()[2:]
    assert header.split()[-1] == "ms/megapixel"
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [
        ("espcn-x2", "250"), ("espcn-x3", "500"), ("espcn-x4", "500"),
    ]  # fmt: skip
    assert "250 ms for a megapixel" in call("models", "espcn-x2", "--measure")[1]
    assert len(json.loads(call("models", "espcn", "--json")[1])) == 3


def test_compare(call: Call, model: str, tmp_path: Path) -> None:
    photo = tmp_path / "a b ü.png"
    write(photo, Image.from_array(np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)))
    status, out, err = call("compare", photo, "-m", model, "-m", "lanczos", "--reduce")
    assert (status, out) == (0, "")
    target = tmp_path / "a b ü_compare.png"
    drawn = read(target)
    assert err == f"{target}: {drawn.width} x {drawn.height} pixels\n"
    status, _, err = call("compare", photo, "-m", model)
    assert (status, err) == (2, f"subpixel: {target} exists; --overwrite replaces it\n")
    assert call("compare", photo, "-m", model, "--overwrite", "--crop", "1,2,30,40")[0] == 0
    status, _, err = call("compare", photo, "-m", model, "-o", tmp_path)
    assert (status, err) == (2, f"subpixel: {tmp_path} is a folder; name a file\n")
    for wrong in (["--crop", "80,2,30,40"], ["--crop", "x"], ["-m", "bicubc"], ["-s", "0"], ["-o", photo]):
        status, _, err = call("compare", photo, "-m", model, "--overwrite", *wrong)
        assert status == 2
        assert "Traceback" not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == [photo.name, target.name]


def test_compare_of_a_stream_goes_to_one(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.png", Image(np.zeros((40, 40, 3), np.float32)))
    monkeypatch.chdir(tmp_path)
    with open("a.png") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        status, out, _ = call("compare", "-", "-m", "bicubic")
    assert (status, out[1:4]) == (0, "PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]

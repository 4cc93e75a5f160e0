"""Nobody is called and nothing is noted: commands in a fresh home, without CI's exceptions, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from clip import clip

from subpixel.images import Image, write
from subpixel.imports import graphdef
from subpixel.imports.graphdef import Node

# Runs the command line and notes every look-up and connection that Python makes.
WATCHED = """
import os, sys
note = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
CALLS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto", "urllib.Request")
sys.addaudithook(lambda event, args: event in CALLS and os.write(note, f"{event} {args}\\n".encode()))
"""
COMMAND = WATCHED + "from subpixel.cli import main; main()"
PLOT = (
    WATCHED
    + """
from subpixel.benchmarks.tradeoff import Point, draw
draw([Point("a-x2", 2, 30.0, 1.0, 10.0, 99), Point("bicubic", 2, 28.0, 0.1, None, 0)], "Set5")
"""
)
TRACE = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmmsg", "-e", "signal=none")


@cache
def alone() -> tuple[str, ...]:
    """What starts a program in a namespace without a network, where the system allows it."""
    program = ("unshare", "-rn")
    works = shutil.which("unshare") and subprocess.run([*program, "true"], capture_output=True).returncode == 0
    return program if works else ()


@cache
def traced() -> bool:
    works = shutil.which("strace") and subprocess.run([*TRACE, "true"], capture_output=True).returncode == 0
    return bool(works)


def run(code: str, arguments: list[str], folder: Path) -> tuple[list[str], str]:
    """Runs Python code in a fresh home; returns the files that appeared there, and the calls that were tried."""
    home, python, system = folder / "home", folder / "python.txt", folder / "system.txt"
    home.mkdir()
    for note in (python, system):
        note.touch()
    known = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    known = {name: value for name, value in known.items() if not name.startswith(("XDG_", "ORT_", "MPL", "PYTEST"))}
    trace = (*TRACE, "-o", str(system)) if traced() else ()
    done = subprocess.run(
        [*alone(), *trace, sys.executable, "-c", code, str(python), *arguments],
        env=known | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    calls = [line for line in system.read_text().splitlines() if "AF_INET" in line]
    return [str(path.relative_to(home)) for path in home.rglob("*")], python.read_text() + "\n".join(calls)


ONE_STEP = [word for name in ("steps", "validate_every", "data.batch") for word in ("--set", f"{name}=1")]
COMMANDS = {
    "doctor": ["doctor"],
    "models": ["models"],
    **{f"upscale-{name}": ["upscale", "low.png", "-m", "espcn-x2", "--runtime", name, "-o", "high.png"]
       for name in ("openvino", "onnxruntime", "torch")},
    "inspect": ["inspect", "photos/a.png"],
    "compare": ["compare", "photos/a.png", "-m", "espcn-x2"],
    "degrade": ["degrade", "photos/a.png", "-o", "worse"],
    "eval": ["eval", "espcn-x2", "--data", "photos"],
    "burst": ["burst", "photos/a.png", "moved/b.png", "-m", "bicubic", "-o", "fused.png"],
    "data-check": ["data", "check", "photos"],
    "train": ["train", "espcn-x2-first", "--data", "photos", "--validation", "moved", "--run", "run",
              "--set", "data.patch=12", *ONE_STEP],
    "import": ["import", "net_x2.pb"],
    "export-onnx": ["export", "espcn-x2", "--to", "onnx"],
    "export-torchscript": ["export", "espcn-x2", "--to", "torchscript"],
    "video": ["video", "film.mkv", "-m", "espcn-x2", "-o", "larger.mkv"],
}  # fmt: skip


@pytest.fixture
def folder(edsr: Callable[[int], list[Node]], tmp_path: Path) -> Path:
    """What the commands are about: small images and a network of TensorFlow's."""
    photo = np.random.default_rng(0).random((48, 64, 3), np.float32)
    for place, pixels in {"low": photo[:9, :7], "photos/a": photo, "moved/b": np.roll(photo, 1, axis=1)}.items():
        (tmp_path / place).parent.mkdir(exist_ok=True)
        write(tmp_path / f"{place}.png", Image(pixels))
    (tmp_path / "net_x2.pb").write_bytes(graphdef.write(edsr(2)))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_calls_nobody_and_leaves_nothing_at_home(name: str, folder: Path) -> None:
    if name == "video":
        clip(folder / "film.mkv", frames=3)
    assert run(COMMAND, COMMANDS[name], folder) == ([], "")


def test_a_figure_leaves_nothing_at_home(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert run(PLOT, [], tmp_path) == ([], "")


def test_the_watch_sees_a_look_up_and_a_file(tmp_path: Path) -> None:
    code = WATCHED + "import pathlib, socket\npathlib.Path.home().joinpath('a').touch()\n"
    code += "try: socket.getaddrinfo('example.invalid', 80)\nexcept OSError: pass"
    files, calls = run(code, [], tmp_path)
    assert files == ["a"]
    assert "socket.getaddrinfo ('example.invalid'" in calls
    if traced():
        assert "AF_INET" in calls


def test_other_programs_keep_the_converter() -> None:
    """It is hidden while OpenVINO is imported, and not from a program that has imported it before."""
    code = """
import sys
if {before}: import openvino.tools.ovc
import subpixel.runtimes.openvino_
print("openvino.tools.ovc" in sys.modules)
import openvino, torch
net = openvino.convert_model(torch.nn.ReLU(), example_input=torch.zeros(1, 3))
print(len(net.outputs))
"""
    pytest.importorskip("torch")
    for before in (False, True):
        done = subprocess.run([sys.executable, "-c", code.format(before=before)], capture_output=True, text=True)
        assert done.stdout.split() == [str(before), "1"], done.stderr

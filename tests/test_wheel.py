"""What users get: complete archives, and commands that work in the plain wheel, without torch, or say why not."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from subpixel import Image, __version__, read, write
from subpixel.cli import app
from subpixel.export.export import export

ROOT = Path(__file__).parents[1]
NO_TORCH = "torch is not installed; run: pip install 'subpixel[train]'"
NO_SET5 = "no folder Set5 in photos; put the images of Set5 there"
NO_DBOS = "dbos is not installed; run: pip install 'subpixel[serve]'"
CALLS = {
    "upscale photo.png -o larger.png": "",
    "upscale photo.png -o larger.tif --runtime torch": NO_TORCH,
    "video film.mkv -o larger.mkv": "av is not installed; run: pip install 'subpixel[video]'",
    "burst photo.png moved.png -o fused.png": "",
    "burst clip.mp4 --at 3.2s -o moment.png": "av is not installed; run: pip install 'subpixel[video]'",
    "models": "",
    "compare photo.png": "",
    "degrade photo.png -o low/": "",
    "inspect photo.png --json": "",
    "bench inspect photos/": "",
    "doctor": "",
    "train swift-x2 --data photos/ --validation photos/ --run run/": NO_TORCH,
    "eval espcn-x2 --data photos/": "",
    "eval espcn-x2 --data photos/ --lpips alex.safetensors": NO_TORCH,
    "import FSRCNN_x2.pb": "",
    "import 4x_foo.pth": "torch is not installed; run: pip install 'subpixel[community]'",
    "export espcn-x2 --to onnx": "",
    "export espcn-x2 --to openvino": "",
    "export espcn-x2 --to torchscript": NO_TORCH,
    "export espcn-x2 --to opencv-pb": NO_TORCH,
    "bench quality --data-root photos/ -m espcn-x2": NO_SET5,
    "bench speed": NO_TORCH,
    "bench real --data photos/ -s 2 -m espcn-x2 --condition clean": "",
    "bench real --data photos/ --peer a.safetensors b.safetensors": NO_TORCH,
    "bench folder --files 4": "",
    "bench memory --side 64 --format TIFF": "",
    "bench video film.mkv": "av is not installed; run: pip install 'subpixel[video]'",
    "bench burst photos/ --side 64 --every 20": "",
    "bench domains": "nothing to measure; give --data FOLDER, --sky FILE.fits or --text",
    "bench dataloader --data photos/": NO_TORCH,
    "bench tradeoff --data-root photos/ -m espcn-x2": NO_SET5,
    "data check photos/": "",
    "bench service --images 1 --side 16": "the service did not start; does `subpixel serve` work?",
    "serve": "uvicorn is not installed; run: pip install 'subpixel[serve]'",
    "worker --queue-url sqlite:///queue.db --data .": NO_DBOS,
    "worker --queue-url sqlite:///queue.db": NO_DBOS,
    "upscale photos/ -o larger/ --queue-url sqlite:///queue.db": NO_DBOS,
    "batch status --queue-url sqlite:///queue.db": NO_DBOS,
    "batch retry abc --queue-url sqlite:///queue.db": NO_DBOS,
    "batch export abc --queue-url sqlite:///queue.db": NO_DBOS,
    "upscale s3://bucket/photos -o larger/": "obstore is not installed; run: pip install 'subpixel[cloud]'",
    "--version": "",
}
"""A command line -> the one line it ends with where torch and benchmark images are absent; "" where it works."""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist of this checkout, and the wheel that is built from that sdist alone."""
    folder = tmp_path_factory.mktemp("dist")
    sdist = _built("sdist", ROOT, folder)
    with tarfile.open(sdist) as file:
        file.extractall(folder, filter="data")
    return sdist, _built("wheel", folder / sdist.name.removesuffix(".tar.gz"), folder)


def test_the_archives_are_complete(archives: tuple[Path, Path]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to know what belongs to it")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tracked = {name for name in listing.split("\0") if name and (ROOT / name).is_file()}
    with tarfile.open(archives[0]) as file:
        assert tracked <= {name.partition("/")[2] for name in file.getnames()}
    with zipfile.ZipFile(archives[1]) as file:
        names = set(file.namelist())
        about = f"subpixel-{__version__}.dist-info"
        assert f"\nVersion: {__version__}\n" in file.read(f"{about}/METADATA").decode()
    assert {name for name in tracked if name.startswith("subpixel/")} <= names
    assert "subpixel/py.typed" in names
    assert {f"{about}/licenses/LICENSE", f"{about}/licenses/zoo/CREDITS.md"} <= names
    assert {name.partition("/")[0] for name in names} == {"subpixel", about}


def test_every_command_is_called() -> None:
    called = [shlex.split(line) for line in CALLS]
    for command in _commands(typer.main.get_command(app)):
        assert any(words[: len(command)] == command for words in called), f"no call of {' '.join(command)} in CALLS"


def test_the_plain_wheel(archives: tuple[Path, Path], tmp_path: Path) -> None:
    """Every command works, or says one line that names a pip command which works for what is installed."""
    python = _environment(tmp_path / "venv", archives[1])
    folder = tmp_path / "work"
    (folder / "photos").mkdir(parents=True)
    levels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    for name in ("photo.png", "photos/a.png"):
        write(folder / name, Image.from_array(levels))
    write(folder / "moved.png", Image.from_array(np.roll(levels, 1, axis=1)))
    export("fsrcnn-x2", "opencv-pb", folder / "FSRCNN_x2.pb")
    assert _run(folder, python, "-c", "import torch").returncode == 1
    for line, expected in CALLS.items():
        done = _run(folder, python.with_name("subpixel"), *shlex.split(line))
        assert done.returncode == (2 if expected else 0), f"{line}: {done.stderr}"
        if expected:
            assert (done.stdout, done.stderr) == ("", f"subpixel: {expected}\n"), line
    completion = _run(folder, python.with_name("subpixel"), _SUBPIXEL_COMPLETE="source_bash")
    assert "_SUBPIXEL_COMPLETE=complete_bash" in completion.stdout
    larger = read(folder / "larger.png")
    assert (larger.width, larger.height) == (160, 120)
    for extra in ("train", "community"):
        said = _pip(python, "--dry-run", "--no-deps", f"subpixel[{extra}]")
        assert f"Requirement already satisfied: subpixel[{extra}]" in said.stdout, said.stderr
        assert "does not provide the extra" not in said.stderr


def _built(target: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, capture_output=True, check=True)
    (path,) = folder.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[target])
    return path


def _environment(folder: Path, wheel: Path) -> Path:
    """A new environment with the wheel and what it needs: its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin/python"
    done = _pip(python, "--quiet", "--no-compile", str(wheel))
    if done.returncode and "connection" in done.stderr.lower():
        pytest.skip("needs the network, to install what the wheel depends on")
    assert done.returncode == 0, done.stderr
    return python


def _pip(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _run(ROOT, Path(sys.executable), "-m", "pip", "--python", str(python), "install", *arguments)


def _run(folder: Path, program: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A process that sees nothing of this checkout."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more
    return subprocess.run([program, *arguments], cwd=folder, env=variables, capture_output=True, text=True)


def _commands(command: Any, name: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """The words of every command that has no commands of its own."""
    if not hasattr(command, "commands"):
        yield list(name)
    for word, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*name, word))

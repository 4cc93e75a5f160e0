"""The house plan, enforced: a module imports strictly lower layers, and torch stays where it belongs."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "subpixel"
LAYERS = [
    {"errors"},
    {"atomic", "condition", "ports"},
    {"images", "color", "deconvolution", "resample"},
    {"nn"},
    {"archs", "losses", "degradations", "metrics", "datasets"},
    {"models"},
    {"runtimes"},
    {"analysis"},
    {"inference", "evaluation"},
    {"jobs"},
    {"imports"},
    {"training", "video", "burst", "domains", "export", "compat"},
    {"service", "benchmarks"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
TORCH = {"nn", "archs", "losses", "training", "imports", "export"}
TORCH_FILES = {"benchmarks/dataloader.py", "runtimes/torch_.py", "models/weights.py", "metrics/lpips.py"}
DRAWERS = {"utils", "util", "common", "helpers", "misc", "core"}
FILES = sorted(PACKAGE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    room = _room(path)
    assert room not in DRAWERS
    for name in _imports(path) if room != "__init__" else []:
        package, _, rest = name.partition(".")
        if package == "torch":
            where = str(path.relative_to(PACKAGE))
            assert room in TORCH or where in TORCH_FILES, f"{where} imports torch"
        if package == "subpixel":
            other = rest.partition(".")[0]
            if other == "__version__":
                continue
            assert other in LEVEL, f"{path} imports the package root ({name})"
            assert other == room or LEVEL[other] < LEVEL[room], f"{room} imports {other}, which is not below it"


def test_there_are_no_import_cycles() -> None:
    """Imports within functions and for type checkers count too."""
    modules = {_module(path): path for path in FILES if path.parent != PACKAGE or path.stem != "__init__"}
    graph = {
        name: {each if each in modules else each.rpartition(".")[0] for each in _imports(path)} & modules.keys()
        for name, path in modules.items()
    }
    assert sum(map(len, graph.values())) > len(modules)  # the test sees the imports
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def _module(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def test_the_architecture_shows_these_layers() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text("utf-8")
    _, *drawn = re.split(r"^ ?(\d+) ", page.partition("## Rooms")[2].split("```")[1], flags=re.MULTILINE)
    shown = {int(drawn[k]) - 1: set(re.findall("[a-z]+", drawn[k + 1])) for k in range(0, len(drawn), 2)}
    for level, rooms in enumerate(LAYERS[:-1]):
        assert rooms <= shown[level], f"layer {level + 1}"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import subpixel, sys; print([m for m in ('torch', 'openvino', 'onnx', 'pyvips', 'numpy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

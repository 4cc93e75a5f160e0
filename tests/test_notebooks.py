"""The notebooks of examples/: they run, and what is saved in them is images of a small size."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def images(notebook: nbformat.NotebookNode) -> int:
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    return sum(bool({"image/png", "image/jpeg"} & out.get("data", {}).keys()) for out in outputs)


def test_there_are_six() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["1_", "2_", "3_", "4_", "5_", "6_"]


@each
def test_it_is_saved_small_with_its_images_and_without_errors(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert path.stat().st_size < 500_000
    assert images(notebook) > 0
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(out.output_type != "error" and out.get("name") != "stderr" for cell in code for out in cell.outputs)
    assert "/home/" not in (text := json.dumps(notebook)), text


@each
@pytest.mark.timeout(300)
def test_it_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    saved = images(notebook)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=where).execute()
    assert images(notebook) == saved

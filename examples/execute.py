"""Runs the notebooks of this folder and saves what they show: python examples/execute.py"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

for path in sorted(Path(__file__).parent.glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, kernel_name="python3", record_timing=False, resources=where).execute()
    for cell in notebook.cells:
        cell.metadata.clear()
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)
    print(path)

"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Benchmark pictures and reference weights that may not be redistributed; the test is skipped without them."""
    folder = Path(os.environ.get("SUBPIXEL_SHARED", ROOT.parent / "shared"))
    if not (folder / "data/bench").is_dir():
        pytest.skip(f"needs the benchmark data in {folder} (set SUBPIXEL_SHARED)")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    """The openly licensed photos of the project."""
    return ROOT / "examples"

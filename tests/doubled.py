"""What the tests of all formats share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel import Upscaler, upscale_file

Doubled = Callable[..., str | None]


@pytest.fixture(scope="session")
def swift() -> Upscaler:
    return Upscaler("espcn-x2")


@pytest.fixture
def doubled(swift: Upscaler) -> Doubled:
    """Enlarges a file twice as high and wide, and checks that nothing but the result is new beside it."""

    def run(source: Path, target: Path, upscaler: Upscaler | None = None) -> str | None:
        before = set(target.parent.iterdir())
        try:
            return upscale_file(source, target, upscaler or swift)
        finally:
            assert set(target.parent.iterdir()) - before <= {target}

    return run


def smooth(height: int = 24, width: int = 20) -> np.ndarray:
    return np.add.outer(np.sin(np.arange(height) / 4), np.cos(np.arange(width) / 5))


def blocks(values: np.ndarray) -> np.ndarray:
    """The means of 2 x 2 blocks of the last two axes."""
    height, width = values.shape[-2:]
    return values.astype(float).reshape(*values.shape[:-2], height // 2, 2, width // 2, 2).mean((-3, -1))

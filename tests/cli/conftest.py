"""A tiny model, and the command line called in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from subpixel import archs
from subpixel.cli import main
from subpixel.models import weights

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a swift-x2 that takes milliseconds."""
    path = tmp_path_factory.mktemp("model") / "tiny-x2.onnx"
    weights.save(archs.create("swift", {"scale": 2, "channels": 16, "layers": 3}), path)
    return str(path)


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Call:
    """`subpixel` with arguments: its exit status, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        return int(ended.value.code or 0), *capfd.readouterr()

    return run

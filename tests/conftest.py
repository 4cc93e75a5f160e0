"""What all tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from written_graphs import const, conv

from subpixel.imports.graphdef import Node

ROOT = Path(__file__).parents[1]

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:  # as a shell's background jobs and nohup have it
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Benchmark images and reference weights that may not be redistributed; the test is skipped without them."""
    folder = Path(os.environ.get("SUBPIXEL_SHARED", ROOT.parent / "shared"))
    if not (folder / "data/bench").is_dir():
        pytest.skip(f"needs the benchmark data in {folder} (set SUBPIXEL_SHARED)")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    """The openly licensed photos of the project."""
    return ROOT / "examples"


@pytest.fixture(scope="session")
def edsr() -> Callable[[int], list[Node]]:
    """A small EDSR as its .pb has it: BGR, residual blocks scaled by 0.1, sub-pixel stages."""

    def make(scale: int) -> list[Node]:
        rng, c = np.random.default_rng(scale), 8

        def layer(name: str, x: str, inputs: int, outputs: int) -> list[Node]:
            kernel = rng.normal(0, 1 / np.sqrt(9 * inputs), (3, 3, inputs, outputs))
            return conv(name, x, kernel, rng.normal(0, 1, outputs))

        nodes = [Node("IteratorGetNext", "Placeholder", (), {"dtype": 1}), *layer("head", "IteratorGetNext", 3, c)]
        last = "head"
        for n in range(2):
            nodes += [*layer(f"a{n}", last, c, c), Node(f"r{n}", "Relu", (f"a{n}",), {"T": 1})]
            nodes += [*layer(f"b{n}", f"r{n}", c, c), const(f"s{n}", 0.1)]
            nodes += [
                Node(f"m{n}", "Mul", (f"b{n}", f"s{n}"), {"T": 1}),
                Node(f"x{n}", "Add", (f"m{n}", last), {"T": 1}),
            ]
            last = f"x{n}"
        nodes += [*layer("body", last, c, c), Node("skip", "Add", ("body", "head"), {"T": 1})]
        last = "skip"
        for n, factor in enumerate([2, 2] if scale == 4 else [scale]):
            nodes += layer(f"up{n}", last, c, c * factor**2)
            nodes.append(
                Node(f"d{n}", "DepthToSpace", (f"up{n}",), {"T": 1, "block_size": factor, "data_format": b"NHWC"})
            )
            last = f"d{n}"
        order = const("order", [0, 3, 1, 2])
        return [
            *nodes,
            *layer("NHWC_output", last, c, 3),
            order,
            Node("NCHW_output", "Transpose", ("NHWC_output", "order"), {"T": 1, "Tperm": 3}),
        ]

    return make


@pytest.fixture(scope="session")
def opencv() -> ModuleType:
    """cv2 with dnn_superres."""
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2, "dnn_superres"):
        pytest.skip("needs opencv-contrib")
    return cv2

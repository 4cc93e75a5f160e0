"""What keeps the packages below from calling home: they send statistics, or note an identity, while they are imported.

OpenVINO's package looks a host of analytics up and writes `~/intel/openvino_ga_cid` unless `openvino_telemetry` cannot
be imported; then it takes its own stub. ONNX Runtime writes `~/.cache/Microsoft/DeveloperTools` unless the variable
ORT_DISABLE_TELEMETRY is 1. Matplotlib writes a list of fonts unless its folders are elsewhere.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def no_openvino_telemetry() -> Generator[None]:
    """Inside, `openvino_telemetry` cannot be imported, unless the program has done so already."""
    modules: dict[str, Any] = sys.modules
    if "openvino_telemetry" in modules:
        yield
        return
    modules["openvino_telemetry"] = None
    try:
        yield
    finally:
        del modules["openvino_telemetry"]


def no_onnxruntime_telemetry() -> None:
    """To be called before ONNX Runtime is imported."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


@contextmanager
def no_matplotlib_files() -> Generator[None]:
    """Inside, matplotlib keeps what it writes in a folder that is gone afterwards, unless the user named one."""
    if "MPLCONFIGDIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]

"""What keeps the packages below from calling home: they send statistics, or note an identity, while they are imported.

OpenVINO's converter of models, which its package imports without need and which takes as long as the rest of it, looks
a host of analytics up and writes `~/intel/openvino_ga_cid`. ONNX Runtime writes `~/.cache/Microsoft/DeveloperTools`
unless the variable ORT_DISABLE_TELEMETRY is 1. Matplotlib writes a list of fonts unless its folders are elsewhere.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_CONVERTER = "openvino.tools.ovc"


@contextmanager
def no_openvino_converter() -> Generator[None]:
    """Inside, `openvino` is imported without its converter, unless the program has imported that already.

    Afterwards `openvino.convert_model` imports it when it is called.
    """
    modules: dict[str, Any] = sys.modules
    if _CONVERTER in modules:
        yield
        return
    modules[_CONVERTER] = None
    try:
        yield
    finally:
        del modules[_CONVERTER]
    if not hasattr(modules["openvino"], "convert_model"):
        modules["openvino"].convert_model = _convert_model


def _convert_model(*inputs: Any, **options: Any) -> Any:
    return importlib.import_module(_CONVERTER).convert_model(*inputs, **options)


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

"""What this machine has: processor, memory, and the runtimes with their devices."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from subpixel.runtimes import MODULES, choose, computes_in_bf16, installed

INSTRUCTIONS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"),  # Intel and AMD
    *("asimd", "asimddp", "sve", "bf16", "i8mm"),  # Arm
)
"""The instruction sets that decide how fast a network runs, as Linux calls them."""


def describe() -> dict[str, Any]:
    """Everything that decides which runtime is chosen and how fast it is, ready for JSON."""
    facts = _processor()
    flags = set(facts.get("flags", facts.get("features", "")).split())
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": facts.get("model name", platform.processor() or platform.machine()),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "memory_gib": memory(),
        "runtimes": {name: _runtime(name) for name in MODULES if installed(name)},
        "missing": [name for name in MODULES if not installed(name)],
        "auto": _auto(),
    }


def _processor() -> dict[str, str]:
    """The first processor in /proc/cpuinfo, in lower case keys; empty where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return {}
    pairs = [line.partition(":") for line in lines if ":" in line]
    return {key.strip().lower(): value.strip() for key, _, value in reversed(pairs)}


def memory() -> float | None:
    """GiB of main memory, where the system tells."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _runtime(name: str) -> dict[str, Any]:
    try:
        devices = _DEVICES[name](importlib.import_module(f"subpixel.runtimes.{MODULES[name]}"))
        return {"version": importlib.metadata.version(name), "devices": devices}
    except Exception as error:  # a broken installation can raise anything, and is what is looked for here
        return {"version": f"broken ({type(error).__name__}: {' '.join(str(error).split())})", "devices": []}


def _auto() -> dict[str, str]:
    name = choose()
    return {"runtime": name, "precision": "bf16" if name != "onnxruntime" and computes_in_bf16() else "f32"}


_DEVICES: dict[str, Callable[[Any], list[str]]] = {
    "openvino": lambda module: list(module.core().available_devices),
    "onnxruntime": lambda module: list(module.ort.get_available_providers()),
    "torch": lambda module: ["cpu", *(["cuda"] if module.torch.cuda.is_available() else [])],
}

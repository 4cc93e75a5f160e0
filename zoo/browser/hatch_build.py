"""Fetches onnxruntime-web with npm while the wheel is built; a tarball that is not the one we know is refused."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VERSION = "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""What the registry says of that version."""
FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.jspi.min.mjs",  # with WebGPU
    "ort-wasm-simd-threaded.jspi.mjs",
    "ort-wasm-simd-threaded.jspi.wasm",
)


class Fetch(BuildHookInterface[Any]):
    """Puts the files into the wheel, under their version."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        target = Path(self.root) / "subpixel_browser" / VERSION / "dist"
        if self.target_name != "wheel" or all((target / name).is_file() for name in FILES):
            return
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            tarball = fetch(Path(folder))
            with tarfile.open(tarball) as archive:
                for name in FILES:
                    source = archive.extractfile(f"package/dist/{name}")
                    assert source is not None
                    with (target / name).open("wb") as file:
                        shutil.copyfileobj(source, file)


def fetch(folder: Path) -> Path:
    """The package's tarball, verified."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is not installed; it fetches onnxruntime-web: apt-get install npm")
    subprocess.run([npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"], cwd=folder, check=True)
    (tarball,) = folder.glob("*.tgz")
    digest = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise SystemExit(f"onnxruntime-web {VERSION} is {digest}; expected {INTEGRITY}: it was changed on its way")
    return tarball

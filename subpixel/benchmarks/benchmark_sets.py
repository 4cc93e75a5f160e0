"""The field's benchmark sets on disk: found by name, verified by their pixels."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from subpixel.errors import DataError, UnknownName
from subpixel.images import Image, read


@dataclass(frozen=True)
class Benchmark:
    """What is known of a set (see benchmark_sets.toml)."""

    name: str
    folders: tuple[str, ...]
    images: int
    sha256: str = ""
    gray: tuple[str, ...] = ()


@cache
def known() -> dict[str, Benchmark]:
    """Every set by its name."""
    table = tomllib.loads((resources.files("subpixel.benchmarks") / "benchmark_sets.toml").read_text("utf-8"))
    return {
        name: Benchmark(name, tuple(s["folders"]), s["images"], s.get("sha256", ""), tuple(s.get("gray", ())))
        for name, s in table.items()
    }


def benchmark(name: str) -> Benchmark:
    """A set by its name, in any case. Raises: UnknownName."""
    by_name = {known_name.lower(): b for known_name, b in known().items()}
    if name.lower() not in by_name:
        raise UnknownName("benchmark set", name, known())
    return by_name[name.lower()]


def files(data_root: Path, spec: Benchmark) -> list[Path]:
    """The images of a set, in the order of their names; of its folder, or of HR or original inside it.

    Raises: DataError if the folder is missing or does not hold the set's number of images.
    """
    wanted = [folder.lower() for folder in spec.folders]
    folders = [p for p in _sorted(data_root) if p.is_dir() and p.name.lower() in wanted]
    if not folders:
        names = " or ".join(spec.folders)
        raise DataError(f"no folder {names} in {data_root}; put the images of {spec.name} there")
    inner = [p for p in _sorted(folders[0]) if p.is_dir() and p.name.lower() in ("hr", "original")]
    folder = (inner or folders)[0]
    images = [p for p in _sorted(folder) if p.suffix.lower().lstrip(".") in _SUFFIXES]
    if len(images) != spec.images:
        raise DataError(f"{folder} holds {len(images)} images; {spec.name} has {spec.images}")
    return images


def images(data_root: Path, spec: Benchmark) -> Iterator[tuple[str, Image]]:
    """Name and image of each file; those that the field has as gray files come with one channel.

    Raises: DataError (see `files`), UnreadableImage.
    """
    for path in files(data_root, spec):
        image = read(path)
        if image.channels == 3 and digest(image) in spec.gray:
            image = Image(np.ascontiguousarray(image.pixels[..., :1]))
        yield path.stem, image


def verified(data_root: Path, spec: Benchmark) -> bool:
    """Whether the pixels are the published ones; False where nothing is known to compare them with.

    Raises: DataError if they are others: values measured on them could not be compared.
    """
    if not spec.sha256:
        return False
    if fingerprint([read(path) for path in files(data_root, spec)]) != spec.sha256:
        raise DataError(f"the images of {spec.name} in {data_root} are not the published ones; get the originals")
    return True


def fingerprint(images: list[Image]) -> str:
    """The sha256 over the sorted digests of the images, whatever their names."""
    return hashlib.sha256("".join(sorted(digest(image) for image in images)).encode()).hexdigest()


def digest(image: Image) -> str:
    """The sha256 of an image's 8-bit RGB values, row by row; a gray image counts as R = G = B."""
    levels = Image(image.pixels).to_array(8)
    rgb = levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)
    return hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest()


_SUFFIXES = {"png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "avif"}


def _sorted(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    return sorted(folder.iterdir(), key=lambda path: path.name)

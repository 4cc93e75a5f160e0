"""How much memory an image takes: the peak of a process that enlarges one, for every format read and written."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from subpixel.benchmarks.speed import smooth
from subpixel.errors import MissingExtra, RuntimeUnavailable, UnknownName, UnreadableImage, UnwritableImage
from subpixel.images.formats import FORMATS
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs.isolated import Emit, Isolated

_FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "TIFF": ("tif", {"compression": "tiff_deflate"}),
    "PNG": ("png", {"compress_level": 1}),
    "JPEG": ("jpg", {"quality": 95}),
    "JPEG, progressive": ("jpg", {"quality": 95, "progressive": True}),
    "WebP": ("webp", {"quality": 80, "method": 2}),
    "AVIF": ("avif", {"quality": 90, "speed": 10}),
    "GIF": ("gif", {}),
    "BMP": ("bmp", {}),
    "TGA": ("tga", {}),
    "TGA, compressed": ("tga", {"compression": "tga_rle"}),
    "PNM": ("ppm", {}),
    "JPEG 2000": ("jp2", {"irreversible": True, "quality_mode": "rates", "quality_layers": [8]}),
    "JPEG XL": ("jxl", {"quality": 90, "effort": 3}),
    "HEIC": ("heic", {"quality": 50, "enc_params": {"preset": "ultrafast"}}),
}
"""What is read: the ending, and how Pillow writes it."""
_EXTRAS = {"jxl": ("pillow_jxl", "jxl"), "heic": ("pillow_heif", "heif")}
"""The modules that let Pillow write a format, and the extras that bring them."""


@dataclass(frozen=True)
class Peaks:
    """MiB of a process that reads a format into TIFF, and that writes TIFF into it, or why not."""

    name: str
    read: float | str
    written: float | str


def peak(process: str | int = "self") -> float:
    """MiB that a process has held at most. Raises: RuntimeUnavailable on systems other than Linux."""
    if not sys.platform.startswith("linux"):
        raise RuntimeUnavailable("the memory of a process is read from /proc, which only Linux has")
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def bench_memory(side: int = 8000, names: Sequence[str] | None = None) -> Iterator[Peaks]:
    """Each format: `side` x `side` pixels of it by 1 into TIFF, and TIFF of half the side by 2 into it, by bicubic.

    Every call is alone in a process. First comes TIFF of 8 x 8 pixels, which is what the program takes for itself.
    Raises: UnknownName; RuntimeUnavailable on systems other than Linux.
    """
    unknown = [name for name in names or () if name not in _FILES]
    if unknown:
        raise UnknownName("format", unknown[0], _FILES)
    peak()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _make(folder / "none.tif", 8, _FILES["TIFF"][1])
        yield Peaks("8 x 8 pixels", *(_peak_of(folder / "none.tif", folder / "x.tif", scale) for scale in (1, 2)))
        _make(folder / "half.tif", side // 2, _FILES["TIFF"][1])
        for name in names or _FILES:
            yield _peaks(folder, name, side)


def _peaks(folder: Path, name: str, side: int) -> Peaks:
    ending, options = _FILES[name]
    source, target = folder / f"whole.{ending}", folder / f"result.{ending}"
    written = _peak_of(folder / "half.tif", target, 2) if ending in FORMATS and "," not in name else "-"
    target.unlink(missing_ok=True)  # before the next is made, for the disk's sake
    try:
        _make(source, side, options)
        return Peaks(name, _peak_of(source, folder / "result.tif", 1), written)
    except MissingExtra:
        return Peaks(name, f"needs the extra {_EXTRAS[ending][1]}", written)
    finally:
        source.unlink(missing_ok=True)


def table(lines: Iterable[Peaks]) -> Iterator[str]:
    """Markdown, MiB: a line as soon as it is measured, the head with the first."""
    for k, line in enumerate(lines):
        if k == 0:
            yield "| format | read, MiB | written, MiB |"
            yield "|---|---|---|"
        yield f"| {line.name} | {_cell(line.read)} | {_cell(line.written)} |"


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}"


def _make(path: Path, side: int, options: dict[str, Any]) -> None:
    """An image that compresses as photos do."""
    if path.suffix[1:] in _EXTRAS:
        _register(*_EXTRAS[path.suffix[1:]])
    tile = min(side, 1000)
    levels = np.tile(smooth(tile), (-(-side // tile), -(-side // tile), 1))[:side, :side]
    PIL.Image.fromarray(levels).save(path, **options)


def _register(module: str, extra: str) -> None:
    try:
        plugin = importlib.import_module(module)
    except ImportError:
        raise MissingExtra(module, extra) from None
    if extra == "heif":  # the other does it when it is imported
        plugin.register_heif_opener()


def _peak_of(source: Path, target: Path, scale: float) -> float | str:
    enlarging = Isolated(_enlarge)
    try:
        return enlarging((source, target, scale))
    except (UnreadableImage, UnwritableImage):
        return "refused"
    finally:
        enlarging.close()


def _enlarge(work: tuple[Path, Path, float], emit: Emit) -> float:
    source, target, scale = work
    with Upscaler("bicubic", scale=scale) as upscaler:
        upscale_file(source, target, upscaler)
    return peak()

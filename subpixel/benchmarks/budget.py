"""Where the time of a whole call goes, from file to file: the parts beside the network, as shares of it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel import models
from subpixel.benchmarks.speed import Call, interleaved, smooth
from subpixel.images import Encoding, Image, ImageReader, create, open_image, write
from subpixel.images.metadata import Metadata
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape
from subpixel.runtimes import open_runtime

MODELS = ("swift-x2", "fsrcnn-x2", "espcn-x2")
_KINDS = ("png", "jpg")
_PHOTO = Encoding(quality=95)


@dataclass(frozen=True)
class Budget:
    """The medians of one call from file to file, in seconds."""

    model: str
    source: str
    target: str
    decode: float
    network: float
    """The graph alone, from 8-bit levels to 8-bit levels, which it converts itself."""
    around: float
    """What a call in memory takes beyond that: tiles, and flat borders."""
    encode: float
    whole: float

    @property
    def rest(self) -> float:
        """What is no network, as a share of the network."""
        return (self.decode + self.around + self.encode) / self.network


def budgets(names: Sequence[str] = MODELS, size: tuple[int, int] = (1080, 1920), runs: int = 3) -> Iterator[Budget]:
    """The budget of each model from PNG and JPEG to both; all its parts are timed in turn, in one run.

    size: height and width of the input, an image that compresses as photos do.
    """
    image = np.ascontiguousarray(smooth(max(size))[: size[0], : size[1]])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for kind in _KINDS:
            write(folder / f"low.{kind}", Image.from_array(image), _PHOTO)
        for name in names:
            with Upscaler(name) as upscaler:
                times = interleaved(_calls(folder, image, upscaler, name), runs)
            medians = {part: statistics.median(seconds) for part, seconds in times.items()}
            for source, target in product(_KINDS, _KINDS):
                yield _budget(name, source, target, medians)


def _calls(folder: Path, image: NDArray[np.uint8], upscaler: Upscaler, name: str) -> dict[str, Call]:
    model, result = models.load(name), upscaler(image)
    runtime, feeds = open_runtime(model), {model.card.ports.inputs[0].name: image[None]}
    calls: dict[str, Call] = {"network": lambda: runtime.run(feeds), "memory": lambda: upscaler(image)}
    for kind in _KINDS:
        calls[f"decode {kind}"] = lambda kind=kind: _decoded(folder / f"low.{kind}")
        calls[f"encode {kind}"] = lambda kind=kind: _encoded(folder / f"high.{kind}", result)
    for source, target in product(_KINDS, _KINDS):
        files = folder / f"low.{source}", folder / f"high.{target}"
        calls[f"{source} to {target}"] = lambda files=files: upscale_file(*files, upscaler, _PHOTO)
    return calls


def _decoded(path: Path) -> NDArray[Any]:
    opened: ImageReader = open_image(path)
    return opened.rows(0, opened.shape.height)


def _encoded(path: Path, levels: NDArray[Any]) -> None:
    height, width, channels = levels.shape
    with create(path, Shape(height, width, channels, False, "uint8"), Metadata(), _PHOTO) as writer:
        writer.write(levels)


def _budget(name: str, source: str, target: str, seconds: Mapping[str, float]) -> Budget:
    network = seconds["network"]
    return Budget(
        name,
        source,
        target,
        seconds[f"decode {source}"],
        network,
        seconds["memory"] - network,
        seconds[f"encode {target}"],
        seconds[f"{source} to {target}"],
    )


def table(lines: Sequence[Budget]) -> str:
    """In Markdown: milliseconds, and the rest as a share of the network."""
    head = "| model | from | to | decode | network | around | encode | whole call | rest / network |\n"
    return head + "|---|---|---|---|---|---|---|---|---|\n" + "".join(map(_row, lines))


def _row(line: Budget) -> str:
    parts = line.decode, line.network, line.around, line.encode, line.whole
    cells = [line.model, line.source, line.target, *(f"{1000 * part:.0f}" for part in parts), f"{line.rest:.0%}"]
    return f"| {' | '.join(cells)} |\n"

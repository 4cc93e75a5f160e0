"""How fast: whole calls against a named alternative in the same run, as ratios of medians of interleaved runs."""

from __future__ import annotations

import importlib
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from subpixel import models
from subpixel.compat import opencv as dnn_superres
from subpixel.errors import MissingExtra
from subpixel.images import Image, write
from subpixel.imports import tensorflow
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import on_batches, open_runtime

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """One measured call."""

    name: str
    seconds: float
    """Median over the runs."""
    fastest: float
    alternative: str = ""
    ratio: float = 0.0
    """Median over the rounds of (the alternative's time / this one's); above 1 is faster than the alternative."""


def interleaved(calls: dict[str, Call], runs: int, patience: float = math.inf) -> dict[str, list[float]]:
    """Times the calls in turn, A B A B ..., after one warm-up of each, so that a drifting machine hits all alike.

    patience: seconds after which a slow call has had runs enough.
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            if sum(times[name]) < patience:
                start = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - start)
    return times


def compared(calls: dict[str, Call], against: dict[str, str], runs: int) -> list[Timing]:
    """The timings of the calls, each beside its alternative among them."""
    times = interleaved(calls, runs)
    rows: list[Timing] = []
    for name, seconds in times.items():
        other = against.get(name, "")
        pairs = zip(times[other], seconds, strict=True) if other else ()
        ratio = statistics.median(theirs / ours for theirs, ours in pairs) if other else 0.0
        rows.append(Timing(name, statistics.median(seconds), min(seconds), other, ratio))
    return rows


def per_megapixel(model: str, runs: int = 3) -> float:
    """Seconds in which a model makes a megapixel of its result here: the median of whole calls."""
    with Upscaler(model) as upscaler:
        side = round(math.sqrt(2**20) / upscaler.factor)
        image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        times = interleaved({model: lambda: upscaler(image)}, runs, patience=3.0)[model]
        return statistics.median(times) * 1e6 / (side * upscaler.factor) ** 2


def against_opencv(folder: Path, runs: int = 7, size: tuple[int, int] = (1080, 1920)) -> list[Timing]:
    """Whole calls, uint8 image in and out, against `upsample` of cv2.dnn_superres itself.

    folder: where OpenCV's FSRCNN_x2.pb and ESPCN_x2.pb lie. size: height and width of the input. The drop-in twice for
    each network: with our own weights, in the precision that the processor is fastest in, and with OpenCV's file in
    f32, to OpenCV's pixels. The default, swift, stands beside OpenCV's FSRCNN.
    Raises: as `opencv_network`, before anything is timed.
    """
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    calls: dict[str, Call] = {}
    against: dict[str, str] = {}
    for name in ("fsrcnn", "espcn"):
        file = folder / f"{name.upper()}_x2.pb"
        theirs = opencv_network(file, name)
        same, ours = dnn_superres.DnnSuperResImpl_create(), dnn_superres.DnnSuperResImpl_create()
        same.readModel(file)
        for sr in (same, ours):
            sr.setModel(name, 2)
        calls[f"subpixel {name}-x2"] = lambda ours=ours: ours.upsample(image)
        calls[f"subpixel {file.name}"] = lambda same=same: same.upsample(image)
        calls[f"opencv {file.name}"] = lambda theirs=theirs: theirs.upsample(image)
        against |= dict.fromkeys((f"subpixel {name}-x2", f"subpixel {file.name}"), f"opencv {file.name}")
    swift = Upscaler("swift-x2")
    calls["subpixel swift-x2"] = lambda: swift(image)
    against["subpixel swift-x2"] = "opencv FSRCNN_x2.pb"
    return compared(calls, against, runs)


def whole_process(runs: int = 7) -> list[Timing]:
    """`subpixel upscale` of a 512x512 PNG, from start to finish, against `python -c "import torch"`.

    Both from the bytecode that an installed package has: the warm-up writes ours.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "photo.png")
        write(source, Image.from_array(smooth(512)))
        target = str(source.with_name("result.png"))
        ours = [sys.executable, "-m", "subpixel", "upscale", str(source), "-m", "swift-x2", "-o", target, "--overwrite"]
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        calls: dict[str, Call] = {
            "subpixel upscale, 512x512": lambda: subprocess.run(ours, env=env, check=True, capture_output=True),
            "import torch": lambda: subprocess.run([sys.executable, "-c", "import torch"], env=env, check=True),
        }
        return compared(calls, {"subpixel upscale, 512x512": "import torch"}, runs)


@dataclass(frozen=True)
class Share:
    """How close a model comes to what the machine can do."""

    model: str
    precision: str
    milliseconds: float
    gigaflops: float
    """Reached, counting two for each multiply-add of the card."""
    share: float
    """Of the ceiling: what a plain 64-channel 3x3 convolution reaches in the same runtime and precision."""


def shares(names: Sequence[str], size: tuple[int, int] = (360, 640), runs: int = 5) -> Iterator[Share]:
    """Network time of each model as a share of the machine's convolution ceiling, measured beside it.

    One model at a time: a graph keeps the memory of its largest layers, and x8 has gigabytes of them.
    """
    batch = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
    precision = open_runtime(models.load(names[0])).precision
    ceiling, flops = _ceiling(size, precision)
    for name in names:
        model = models.load(name)
        network = on_batches(open_runtime(model).run)
        times = interleaved({"ceiling": ceiling, name: lambda run=network: run(batch)}, runs, patience=5.0)
        median = statistics.median(times[name])
        reached = 2 * model.card.macs * model.card.scale**2 * size[0] * size[1] / median
        best = flops / min(times["ceiling"])
        yield Share(name, precision, 1000 * median, reached / 1e9, reached / best)


def _ceiling(size: tuple[int, int], precision: str) -> tuple[Call, float]:
    """Ten 64-channel 3x3 convolutions, the shape that runtimes are tuned for, and their floating-point operations."""
    from subpixel.runtimes.openvino_ import core, op, ov

    parameter: Any = op.parameter([1, 64, *size], np.float32)
    node: Any = parameter
    weights = np.random.default_rng(0).standard_normal((64, 64, 3, 3)).astype(np.float32) / 24
    for _ in range(10):
        node = op.convolution(node, weights, [1, 1], [1, 1], [1, 1], [1, 1])
    settings = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False}
    build: Any = ov.Model
    request = core().compile_model(build([node], [parameter]), "CPU", settings).create_infer_request()
    batch = np.random.default_rng(1).random((1, 64, *size), dtype=np.float32)
    operations = 10 * 2 * 64 * 64 * 9 * size[0] * size[1]
    return lambda: request.infer([batch], share_inputs=True, share_outputs=True), operations


def opencv_network(file: Path, algorithm: str, scale: int = 2) -> Any:
    """OpenCV's own object with one of its files, which is read by ours first: OpenCV's errors have many lines.

    Raises: MissingExtra without opencv-contrib-python; BadWeights for another file.
    """
    cv2 = opencv()
    tensorflow.load(file)
    network = cv2.dnn_superres.DnnSuperResImpl_create()
    network.readModel(str(file))
    network.setModel(algorithm, scale)
    return network


def opencv() -> Any:
    """OpenCV's module. Raises: MissingExtra where it is not installed."""
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise MissingExtra("opencv-contrib-python-headless", "dev") from None


def smooth(side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An image that compresses as photos do: waves and a little noise."""
    y, x = np.mgrid[:side, :side] / side
    waves = np.stack([np.sin(9 * x + 5 * y), np.cos(7 * x * y * 3), np.sin(11 * y)], axis=-1) * 100 + 128
    noise = np.random.default_rng(0).normal(0, 3, waves.shape)
    return np.clip(waves + noise, 0, 255).astype(np.uint8)

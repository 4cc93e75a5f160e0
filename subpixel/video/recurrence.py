"""A network with a memory as a runtime of whole frames: what it keeps of one goes along the motion to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from subpixel import models
from subpixel.images import Floats
from subpixel.inference.plan import Plan, Step, inputs_of
from subpixel.inference.rows import OPEN, ArrayRows
from subpixel.inference.tiled import TiledNetwork
from subpixel.ports import Ports, Shape
from subpixel.runtimes import Execution, Precision, Tensors, open_runtime

WARMING = 5
"""Frames before a segment that are seen again, so that its first one is no worse than those that follow."""
_CUT = 0.06
"""Mean difference along the motion, in [0, 1], from which nothing of the frame before goes on."""


class RecurrentRuntime:
    """A runtime from `low` to `high` that remembers the frame before; each channel by itself. For one thread."""

    def __init__(self, step: Step, execution: Execution) -> None:
        runtime, scale = step.runtime, step.card.scale
        self.name, self.device = runtime.name, runtime.device
        self.precision: Precision = runtime.precision
        graph = Path(__file__).with_name(f"alignment-x{scale}.onnx")
        exact = replace(execution, runtime=runtime.name, precision="f32")  # places need all digits
        self._step, self._alignment = step, open_runtime(models.load(graph), exact)
        self._known: dict[int, dict[str, Floats]] = {}

    def close(self) -> None:
        """Frees both graphs."""
        self._step.runtime.close()
        self._alignment.close()

    def begin(self) -> None:
        """Forgets what it has seen."""
        self._known.clear()

    def run(self, feeds: Tensors) -> dict[str, Floats]:
        """The next frame, N 1 H W -> N 1 sH sW."""
        return {"high": np.concatenate([self._frame(k, low[None]) for k, low in enumerate(feeds["low"])])}

    def _frame(self, channel: int, low: Floats) -> Floats:
        (height, width), ports = low.shape[2:], self._step.card.ports
        shape = Shape(height, width, 1)
        source, maps = ArrayRows(_pixels(low), shape), {"carried": _pixels(self._carried(channel, low))}
        card, run = self._step.card, self._step.runtime.run
        network = TiledNetwork(source, run, ports, card.geometry, self._step.tile, maps, keeps_flat=False, limits=OPEN)
        high = _planes(network.rows(0, network.shape.height))
        self._known[channel] = {"before": low, "enlarged": high, "kept": _planes(network.maps["kept"])}
        return high

    def _carried(self, channel: int, low: Floats) -> Floats:
        """What is known at the places of the frame; zeros at the beginning, and after a cut."""
        port, known = self._step.card.ports.inputs[1], self._known.get(channel)
        if known is not None and known["before"].shape == low.shape:
            carried = self._alignment.run({"low": low, **known})["carried"]
            if float(np.abs(carried[:, : self._step.card.scale**2].mean(1)).mean()) < _CUT:
                return carried
        return np.zeros((1, port.depth, *low.shape[2:]), np.float32)


def with_memory(plan: Plan, execution: Execution) -> tuple[Plan, list[RecurrentRuntime]]:
    """The same plan, where what has a memory remembers; and what is to be told where a clip begins."""
    memories: list[RecurrentRuntime] = []
    steps: list[Step] = []
    sides = inputs_of([step.card for step in plan.steps], plan.source.height, plan.source.width)
    for step, whole in zip(plan.steps, sides, strict=True):
        if step.card.ports.carries:
            memories.append(RecurrentRuntime(step, execution))
            card = step.card.model_copy(update={"ports": Ports.enlarging(step.card.scale, 1)})
            step = Step(card, memories[-1], whole)
        steps.append(step)
    return replace(plan, steps=tuple(steps)), memories


def _pixels(planes: Floats) -> Floats:
    """1 C H W -> H W C."""
    return planes[0].transpose(1, 2, 0)


def _planes(pixels: Floats) -> Floats:
    """H W C -> 1 C H W, in one piece."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])

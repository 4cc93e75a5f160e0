"""What surrounds the networks of OpenCV's dnn_superres: from RGB to what they compute on, and back.

FSRCNN, ESPCN and LapSRN see luma in [0, 1]: full-range YCrCb with OpenCV's 14-bit coefficients, and the chroma is
enlarged bilinearly. EDSR sees BGR in 0..255 minus a mean.

OpenCV computes on 8-bit levels: YCrCb is rounded before and after the network. `exact` does the same, and the result
is OpenCV's; without it nothing is rounded, as suits images of 16 bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from subpixel.imports.onnx_builder import Graph

MEAN = (103.1545782, 111.561547, 114.35629928)
"""B, G, R of DIV2K in 0..255, as OpenCV has them."""

_UNIT = 1 << 14
_Y = (4899 / _UNIT, 9617 / _UNIT, 1868 / _UNIT)  # of R, G, B
_TO_CR, _TO_CB = 11682 / _UNIT, 9241 / _UNIT
_R_CR, _G_CR, _G_CB, _B_CB = 22987 / _UNIT, -11698 / _UNIT, -5636 / _UNIT, 29049 / _UNIT

Inner = Callable[[str], tuple[str, int]]
"""Adds a network behind a value; returns its output and the factor by which it enlarges."""


@dataclass(frozen=True)
class _Levels:
    """Arithmetic on 0..255, rounded as OpenCV rounds, or not at all."""

    graph: Graph
    exact: bool

    def rounded(self, value: str) -> str:
        graph = self.graph
        return graph.node("Floor", graph.channelwise("Add", value, 0.5)) if self.exact else value

    def saturated(self, value: str) -> str:
        graph = self.graph
        limits = graph.constant(0.0), graph.constant(255.0)
        return graph.node("Clip", self.rounded(value), *limits) if self.exact else value

    def between(self, value: str) -> str:
        """Rounded, but exact halves stay: which way they go in OpenCV depends on its float noise."""
        if not self.exact:
            return value
        graph = self.graph
        lower = graph.node("Ceil", graph.channelwise("Sub", value, 0.5))
        return graph.channelwise("Mul", graph.node("Add", lower, self.rounded(value)), 0.5)


def luma(graph: Graph, inner: Inner, exact: bool) -> tuple[str, int]:
    """A network on luma; returns RGB in [0, 1], not clipped, and the factor."""
    levels = _Levels(graph, exact)
    pixels = graph.channelwise("Mul", graph.low, 255.0)
    red, green, blue = (_channel(graph, levels.rounded(pixels), n) for n in range(3))
    y = levels.rounded(_sum(graph, (red, green, blue), _Y))
    high, scale = inner(graph.channelwise("Mul", y, 1 / 255))
    cr = _chroma(levels, graph.node("Sub", red, y), _TO_CR, scale)
    cb = _chroma(levels, graph.node("Sub", blue, y), _TO_CB, scale)
    sharp = levels.saturated(graph.channelwise("Mul", high, 255.0))
    offsets = (
        graph.channelwise("Mul", cr, _R_CR),
        _sum(graph, (cb, cr), (_G_CB, _G_CR)),
        graph.channelwise("Mul", cb, _B_CB),
    )
    colours = [graph.node("Add", sharp, levels.rounded(offset)) for offset in offsets]
    return graph.channelwise("Mul", graph.node("Concat", *colours, axis=1), 1 / 255), scale


def bgr(graph: Graph, inner: Inner) -> tuple[str, int]:
    """A network on BGR minus its mean; returns RGB in [0, 1], not clipped, and the factor."""
    levels = graph.channelwise("Mul", _turned(graph, graph.low), 255.0)
    high, scale = inner(graph.channelwise("Sub", levels, MEAN))
    pixels = graph.channelwise("Mul", graph.channelwise("Add", high, MEAN), 1 / 255)
    return _turned(graph, pixels), scale


def _chroma(levels: _Levels, difference: str, gain: float, scale: int) -> str:
    """Cr or Cb, enlarged bilinearly, around 0."""
    graph = levels.graph
    low = levels.saturated(graph.channelwise("Add", graph.channelwise("Mul", difference, gain), 128.0))
    factors = graph.constant([1.0, 1.0, float(scale), float(scale)])
    high = graph.node("Resize", low, "", factors, mode="linear", coordinate_transformation_mode="half_pixel")
    return graph.channelwise("Sub", levels.between(high), 128.0)


def _turned(graph: Graph, value: str) -> str:
    """The channels in reverse; not as a Gather, which OpenVINO 2026.4 fuses wrongly behind an 8-bit input."""
    return graph.node("Concat", *(_channel(graph, value, n) for n in (2, 1, 0)), axis=1)


def _channel(graph: Graph, value: str, index: int) -> str:
    return graph.node("Slice", value, *(graph.constant([n]) for n in (index, index + 1, 1)))


def _sum(graph: Graph, values: tuple[str, ...], weights: tuple[float, ...]) -> str:
    total, *rest = (graph.channelwise("Mul", v, w) for v, w in zip(values, weights, strict=True))
    for term in rest:
        total = graph.node("Add", total, term)
    return total

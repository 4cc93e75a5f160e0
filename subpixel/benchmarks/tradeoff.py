"""Quality against cost: PSNR beside the measured time of a whole call and beside multiply-adds, of every model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from subpixel import models
from subpixel.benchmarks.speed import interleaved
from subpixel.evaluation.report import Report
from subpixel.images import Image
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import open_runtime

RESULT = (1080, 1920)
"""Height and width of the enlarged image whose time is taken; the input is smaller by the scale."""

_BACK, _TEXT, _DIM, _GRID = "#ffffff", "#1c1e22", "#6a6f78", "#e4e6ea"
_COLOURS = (
    "#0b6fb8", "#d1495b", "#2a8f5d", "#e07b00", "#7b4bb7", "#8a5a44", "#c2418f", "#5b6570", "#9a8b00", "#008c9e",
    "#7a1f3d", "#14507a", "#4f6b1d", "#b0562b", "#3f3fa8", "#1c1e22",
)  # fmt: skip
_PANEL, _MARGIN, _HEAD = (560, 400), (76, 56), 64  # pixels: a panel, its room for the labels of y and x, the title


@dataclass(frozen=True)
class Point:
    """A model, or bicubic, at one scale: what it costs and what it reaches."""

    name: str
    scale: int
    psnr: float
    """Mean over the data set, dB, in f32."""
    seconds: float
    """Median of whole calls: uint8 image in, uint8 image of RESULT out, in the machine's own precision."""
    macs: float | None
    """Multiply-adds per output pixel; None for a kernel."""
    parameters: int

    @property
    def family(self) -> str:
        """The name without its scale: what has one colour in all panels."""
        return self.name.removesuffix(f"-x{self.scale}")


def tradeoff(report: Report, dataset: str, runs: int = 5) -> list[Point]:
    """Times everything that a report measured on a data set, all in one run, interleaved; slow calls fewer times.

    report: of models of the package and bicubic. Raises: UnknownName, BadWeights, BadRequest for another set.
    """
    measured = [m for m in report.means() if (m.dataset, m.metric) == (dataset, "psnr")]
    calls = {f"{m.model} x{m.scale}": _call(m.model, m.scale) for m in measured}
    times = interleaved(calls, runs, patience=5.0)
    points: list[Point] = []
    for mean in measured:
        seconds = statistics.median(times[f"{mean.model} x{mean.scale}"])
        card = models.load(mean.model).card if mean.model in models.names() else None
        cost = (card.macs, card.parameters) if card else (None, 0)
        points.append(Point(mean.model, mean.scale, mean.value, seconds, *cost))
    return sorted(points, key=lambda p: (p.scale, p.seconds))


def table(points: Sequence[Point], dataset: str) -> str:
    """The points in Markdown, the fastest of each scale first."""
    lines = [
        f"PSNR: luma, mean over {dataset}, in f32; {conditions()}\n",
        "| model | scale | PSNR, dB | ms | multiply-adds | parameters |",
        "|---" * 6 + "|",
    ]
    for p in points:
        macs, parameters = (f"{p.macs:,.0f}", f"{p.parameters:,}") if p.macs else ("", "")
        lines.append(f"| {p.name} | x{p.scale} | {p.psnr:.2f} | {1000 * p.seconds:.0f} | {macs} | {parameters} |")
    return "\n".join(lines) + "\n"


def conditions() -> str:
    """What the costs are, in words."""
    precision = open_runtime(models.load(models.names()[0])).precision
    height, width = RESULT
    return (
        f"ms: median time of whole calls that make {width}x{height} pixels in {precision}, interleaved in one run; "
        "multiply-adds: per pixel of the result. Bicubic is the package's own, exact one."
    )


def draw(points: Sequence[Point], dataset: str) -> Image:
    """For each scale a panel against the time and one against multiply-adds; bicubic as a point and as a line."""
    scales = sorted({p.scale for p in points})
    wide, tall = _PANEL[0] + _MARGIN[0] + 24, _PANEL[1] + _MARGIN[1] + 44
    canvas = Pillow.new("RGB", (2 * wide + 16, _HEAD + len(scales) * tall + 8), _BACK)
    ink = ImageDraw.Draw(canvas)
    ink.text((16, 16), f"PSNR on {dataset} against cost", fill=_TEXT, font=_font(26))
    families = sorted({p.family for p in points})
    colours = {family: _COLOURS[k % len(_COLOURS)] for k, family in enumerate(families)}
    for row, scale in enumerate(scales):
        here = [p for p in points if p.scale == scale]
        corner = (_MARGIN[0], _HEAD + row * tall + 36)
        _Panel(ink, corner, f"x{scale}: ms for {RESULT[1]}x{RESULT[0]}", here, lambda p: 1000 * p.seconds).draw(colours)
        corner = (corner[0] + wide, corner[1])
        _Panel(ink, corner, f"x{scale}: multiply-adds per output pixel", here, lambda p: p.macs).draw(colours)
    return Image.from_array(np.asarray(canvas))


def _call(name: str, scale: int) -> Callable[[], object]:
    size = (RESULT[0] // scale, RESULT[1] // scale, 3)
    image = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    upscaler = Upscaler(name, scale=scale)
    return lambda: upscaler(image)


@dataclass(frozen=True)
class _Panel:
    """One diagram: PSNR upwards, a cost on a logarithmic axis to the right."""

    ink: ImageDraw.ImageDraw
    corner: tuple[int, int]
    title: str
    points: Sequence[Point]
    cost: Callable[[Point], float | None]

    def draw(self, colours: dict[str, str]) -> None:
        left, top = self.corner
        wide, tall = _PANEL
        self.ink.text((left, top - 30), self.title, fill=_DIM, font=_font(18))
        for value, where in self._ticks_x():
            self.ink.line((where, top, where, top + tall), fill=_GRID)
            self._text((where, top + tall + 8), value, "ma")
        for value, where in self._ticks_y():
            self.ink.line((left, where, left + wide, where), fill=_GRID)
            self._text((left - 8, where), value, "rm")
        self.ink.rectangle((left, top, left + wide, top + tall), outline=_DIM)
        self._points(colours)

    def _points(self, colours: dict[str, str]) -> None:
        at = {p: (self._x(cost), self._y(p.psnr)) for p in self.points if (cost := self.cost(p)) is not None}
        taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in at.values()]
        for p in self.points:
            colour = colours[p.family]
            if p not in at:
                y = self._y(p.psnr)
                self.ink.line((self.corner[0], y, self.corner[0] + _PANEL[0], y), fill=colour, width=2)
                self._text((self.corner[0] + 8, y - 4), p.family, "ls", colour)
                continue
            x, y = at[p]
            self.ink.ellipse((x - 6, y - 6, x + 6, y + 6), fill=colour)
            box, anchor = self._free(p.family, x, y, taken)
            taken.append(box)
            self._text((anchor[0], anchor[1]), p.family, "lt", colour)

    def _free(
        self, name: str, x: float, y: float, taken: list[tuple[float, float, float, float]]
    ) -> tuple[tuple[float, float, float, float], tuple[float, float]]:
        """Where a name stands beside its point: the first place in the panel that is free, else the first in it."""
        wide, tall = self.ink.textlength(name, _font(16)), 16
        places = [(x + 10, y - 8), (x - 10 - wide, y - 8), (x - wide / 2, y - 28), (x - wide / 2, y + 12)]
        places += [(x + 8, y - 26), (x + 8, y + 10), (x - 8 - wide, y - 26), (x - 8 - wide, y + 10)]
        left, top, right, bottom = *self.corner, self.corner[0] + _PANEL[0], self.corner[1] + _PANEL[1]
        boxes = [((a, b, a + wide, b + tall), (a, b)) for a, b in places]
        inside = [b for b in boxes if left < b[0][0] and b[0][2] < right and top < b[0][1] and b[0][3] < bottom]
        return next((b for b in inside if not any(_meet(b[0], other) for other in taken)), (inside or boxes)[0])

    def _x(self, cost: float) -> float:
        low, high = self._range_x()
        return self.corner[0] + _PANEL[0] * (math.log10(cost) - low) / (high - low)

    def _y(self, psnr: float) -> float:
        low, high = self._range_y()
        return self.corner[1] + _PANEL[1] * (high - psnr) / (high - low)

    def _range_x(self) -> tuple[float, float]:
        costs = [math.log10(cost) for p in self.points if (cost := self.cost(p)) is not None]
        low, high = min(costs, default=0), max(costs, default=1)
        return low - 0.15, high + 0.2 + 0.12 * (high - low)

    def _range_y(self) -> tuple[float, float]:
        values = [p.psnr for p in self.points]
        room = max(0.2, 0.08 * (max(values) - min(values)))
        return min(values) - room, max(values) + room

    def _ticks_x(self) -> list[tuple[str, float]]:
        low, high = self._range_x()
        steps = (1, 1.5, 2, 3, 5, 7) if high - low < 1 else (1, 2, 5) if high - low < 2.5 else (1,)
        values = [m * 10**e for e in range(math.floor(low), math.ceil(high) + 1) for m in steps]
        return [(f"{v:,.10g}", self._x(v)) for v in values if low < math.log10(v) < high]

    def _ticks_y(self) -> list[tuple[str, float]]:
        low, high = self._range_y()
        step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 1000) if (high - low) / s <= 8)
        return [
            (f"{k * step:.1f}", self._y(k * step)) for k in range(math.ceil(low / step), math.floor(high / step) + 1)
        ]

    def _text(self, where: tuple[float, float], text: str, anchor: str, colour: str = _DIM) -> None:
        self.ink.text(where, text, fill=colour, font=_font(16), anchor=anchor)


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)

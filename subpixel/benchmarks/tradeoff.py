"""Quality against cost: PSNR beside the measured time of a whole call and beside multiply-adds, of every model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from subpixel import models
from subpixel.benchmarks.speed import interleaved
from subpixel.errors import MissingExtra
from subpixel.evaluation.report import Report
from subpixel.images import Image
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import installed, open_runtime
from subpixel.runtimes.telemetry import no_matplotlib_files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

RESULT = (1080, 1920)
"""Height and width of the enlarged image whose time is taken; the input is smaller by the scale."""

_DIM, _GRID = "#6a6f78", "#e4e6ea"
_COLOURS = (
    "#0b6fb8", "#d1495b", "#2a8f5d", "#e07b00", "#7b4bb7", "#8a5a44", "#c2418f", "#5b6570", "#9a8b00", "#008c9e",
    "#7a1f3d", "#14507a", "#4f6b1d", "#b0562b", "#3f3fa8", "#1c1e22",
)  # fmt: skip
_PANEL, _TOP = (6.7, 5.0), 0.9  # inches: a panel with its labels, the title
_PLACES = [(1, 0), (-1, 0), *((across, up) for up in (1, -1, 2, -2, 3, -3) for across in (0, 1, -1))]
"""Of a name beside its point: steps to the right and upwards."""


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
    """For each scale a panel against the time and one against multiply-adds; bicubic as a point and as a line.

    Raises: MissingExtra without matplotlib.
    """
    if not installed("matplotlib"):
        raise MissingExtra("matplotlib", "plot")
    with no_matplotlib_files():
        from matplotlib import style

        with style.context("default"):  # whatever the user's own matplotlibrc says
            canvas = _canvas(points, dataset)
            canvas.draw()
    return Image.from_array(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _call(name: str, scale: int) -> Callable[[], object]:
    size = (RESULT[0] // scale, RESULT[1] // scale, 3)
    image = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    upscaler = Upscaler(name, scale=scale)
    return lambda: upscaler(image)


def _canvas(points: Sequence[Point], dataset: str) -> FigureCanvasAgg:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scales = sorted({p.scale for p in points})
    families = sorted({p.family for p in points})
    colours = {family: _COLOURS[k % len(_COLOURS)] for k, family in enumerate(families)}
    height = _PANEL[1] * len(scales) + _TOP
    figure = Figure(figsize=(2 * _PANEL[0], height), dpi=100)
    canvas = FigureCanvasAgg(figure)  # measures the names
    figure.subplots_adjust(0.05, 0.4 / height, 0.99, 1 - _TOP / height, wspace=0.12, hspace=0.24)
    figure.text(0.012, 1 - 0.2 / height, f"PSNR on {dataset} against cost", fontsize=20, va="top")
    for row, scale in zip(figure.subplots(len(scales), 2, squeeze=False), scales, strict=True):
        shown = [p for p in points if p.scale == scale]
        _panel(row[0], f"x{scale}: ms for {RESULT[1]}x{RESULT[0]}", shown, lambda p: 1000 * p.seconds, colours)
        _panel(row[1], f"x{scale}: multiply-adds per output pixel", shown, lambda p: p.macs, colours)
    return canvas


def _panel(
    axes: Axes, title: str, points: Sequence[Point], cost: Callable[[Point], float | None], colours: dict[str, str]
) -> None:
    """One diagram: PSNR upwards, a cost on a logarithmic axis to the right."""
    costs = {p: value for p in points if (value := cost(p)) is not None}
    _scale_axes(axes, list(costs.values()) or [1, 10], [p.psnr for p in points])
    axes.set_title(title, loc="left", color=_DIM, fontsize=13)
    for p, value in costs.items():
        axes.plot(value, p.psnr, "o", markersize=9, markeredgewidth=0, color=colours[p.family])
    taken = [_dot(axes, value, p.psnr) for p, value in costs.items()]
    for p in points:
        if p in costs:
            taken.append(_write_beside(axes, p.family, (costs[p], p.psnr), colours[p.family], taken))
        else:
            axes.axhline(p.psnr, color=colours[p.family], zorder=1)
            left = axes.get_yaxis_transform()  # x in parts of the panel
            _annotate(axes, p.family, (0, p.psnr), (6, 3), colours[p.family], xycoords=left)


def _scale_axes(axes: Axes, costs: Sequence[float], psnr: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = math.log10(min(costs)), math.log10(max(costs))
    room = max(0.2, 0.08 * (max(psnr) - min(psnr)))
    axes.set_xscale("log")
    axes.set_xlim(10 ** (low - 0.15), 10 ** (high + 0.2 + 0.12 * (high - low)))  # names stand to the right
    axes.set_ylim(min(psnr) - room, max(psnr) + room)
    steps = (1, 1.5, 2, 3, 5, 7) if high - low < 0.65 else (1, 2, 5) if high - low < 1.9 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.yaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_DIM, labelsize=11, length=0)
    axes.spines[:].set_color(_DIM)


def _dot(axes: Axes, x: float, y: float) -> Bbox:
    from matplotlib.transforms import Bbox

    middle = axes.transData.transform((x, y))
    return Bbox([middle - 7, middle + 7])


def _write_beside(axes: Axes, name: str, point: tuple[float, float], colour: str, taken: Sequence[Bbox]) -> Bbox:
    """Writes a name beside its point, in the first place of the panel that is free, else in the first; returns it."""

    def write(across: int, up: int) -> Annotation:
        horizontal, vertical = ("center", "left", "right")[across], ("center", "bottom", "top")[(up > 0) - (up < 0)]
        return _annotate(axes, name, point, (7 * across, 6 * up), colour, ha=horizontal, va=vertical)

    for place in _PLACES:
        label = write(*place)
        box = label.get_window_extent()
        inside = axes.bbox.count_contains(box.corners()) == 4
        if inside and not box.count_overlaps(taken):
            return box
        label.remove()
    return write(*_PLACES[0]).get_window_extent()


def _annotate(
    axes: Axes, name: str, point: tuple[float, float], offset: tuple[int, int], colour: str, **options: Any
) -> Annotation:
    return axes.annotate(name, point, offset, textcoords="offset points", color=colour, fontsize=11, **options)

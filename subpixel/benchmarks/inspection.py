"""How well `inspect` judges: images are degraded by known amounts, and its reports are held against them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import Blur, DegradationReport, Noise, inspect
from subpixel.analysis.report import Jpeg as JpegHistory
from subpixel.degradations import GaussianBlur, GaussianNoise, Jpeg
from subpixel.errors import MissingExtra
from subpixel.images import Floats, Image, dequantise, quantise
from subpixel.resample import rescale
from subpixel.runtimes import installed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Group = Literal["clean", "jpeg", "noise", "noise under JPEG", "blur"]
_COLOURS = ("#0b6e99", "#ff9f1c")
_VARIANTS = 3  # of each degradation and image


@dataclass(frozen=True)
class Case:
    """An image that was degraded, what was done to it, and what was said of it."""

    image: str
    group: Group
    truth: DegradationReport
    report: DegradationReport


@dataclass(frozen=True)
class Line:
    """A row of the table: what was measured, over how many images, and what is aimed at."""

    what: str
    value: str
    target: str
    judged: int
    unknown: int
    """Images about which nothing was said; they are not in the value."""


def cases(images: Iterable[tuple[str, Image]]) -> Iterator[Case]:
    """Every image reduced by 2, 3 and 4, and with three JPEG files, noises, both together, and blurs of random amount.

    What is compressed or made noisy is reduced by 2 first, for many photos are JPEG files themselves.
    """
    for name, image in images:
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        for scale in (2, 3, 4):
            yield Case(name, "clean", DegradationReport(), _inspected(_reduced(image.pixels, scale)))
        small = _reduced(image.pixels, 2)
        for _ in range(_VARIANTS):
            yield _degraded(name, "jpeg", small, rng, quality=_quality(rng))
            yield _degraded(name, "noise", small, rng, sigma=rng.uniform(1, 25))
            yield _degraded(name, "noise under JPEG", small, rng, sigma=rng.uniform(1, 25), quality=_quality(rng))
            long, short, angle = rng.uniform(0.5, 1.3), rng.uniform(0.5, 1.3), rng.uniform(0, 180)
            yield _degraded(name, "blur", image.pixels, rng, blur=GaussianBlur(long, short, angle))


def _degraded(
    name: str,
    group: Group,
    pixels: Floats,
    rng: np.random.Generator,
    *,
    blur: GaussianBlur | None = None,
    sigma: float = 0.0,
    quality: int | None = None,
) -> Case:
    """Blur, noise, JPEG, and a crop that starts anywhere."""
    steps = (blur, GaussianNoise(sigma / 255), None if quality is None else Jpeg(quality))
    for step in steps:
        pixels = pixels if step is None else step.apply(pixels, rng)
    y, x = rng.integers(0, 16, 2)
    known = {} if blur is None else blur.vector()
    truth = DegradationReport(
        jpeg=JpegHistory() if quality is None else JpegHistory(quality=quality, phase=(-int(y) % 8, -int(x) % 8)),
        noise=Noise(sigma=sigma, chroma=sigma if pixels.shape[2] == 3 else 0),
        blur=Blur(xx=known["blur_xx"], yy=known["blur_yy"], xy=known["blur_xy"]) if known else Blur(),
    )
    return Case(name, group, truth, _inspected(pixels[y:, x:]))


def _inspected(pixels: Floats) -> DegradationReport:
    return inspect(quantise(pixels, 8))


def _quality(rng: np.random.Generator) -> int:
    return int(rng.integers(20, 91))


def _reduced(pixels: Floats, scale: int) -> Floats:
    height, width = (n // scale * scale for n in pixels.shape[:2])
    return dequantise(rescale(quantise(pixels[:height, :width], 8), 1 / scale))


def error(case: Case) -> float:
    """How far the report is from the truth in what the case is about: NaN where nothing is said.

    In steps of quality, levels of noise, pixels of the two standard deviations of a blur (their mean).
    """
    one, other = _said(case.report, case.group), _said(case.truth, case.group)
    return math.nan if not one or not other else float(np.abs(np.subtract(one, other)).mean())


def _said(report: DegradationReport, group: Group) -> tuple[float, ...]:
    if group == "jpeg":
        return (report.jpeg.quality,) if report.jpeg else ()
    if group == "blur":
        return report.blur.axes[:2] if report.blur else ()
    return (report.noise.sigma,) if report.noise else ()


def lines(cases: Sequence[Case]) -> list[Line]:
    """The table of what `inspect` aims at."""
    clean = np.array([case.report.clean for case in cases if case.group == "clean"])
    uncompressed = [case.report.jpeg for case in cases if case.group in ("clean", "noise")]
    alarms = np.array([jpeg is not None and jpeg.quality < 100 for jpeg in uncompressed])
    return [
        Line("clean, reduced by 2, 3, 4: said to be clean", f"{clean.mean():.1%}", "100 %", len(clean), 0),
        Line("no JPEG: false alarms", f"{alarms.mean():.1%}", "<= 1 %", len(alarms), 0),
        _line(
            cases,
            "jpeg",
            "JPEG of quality 20 to 90, any crop: right to 1",
            ">= 95 %",
            lambda e: f"{(e <= 1).mean():.1%}",
        ),
        _line(cases, "noise", "noise of 1 to 25 levels: mean error in levels", "<= 0.6", _mean),
        _line(cases, "noise under JPEG", "noise under JPEG of 20 to 90: mean error in levels", "<= 2", _mean),
        _line(cases, "blur", "blur of 0.5 to 1.3 px at full size: mean error in px", "<= 0.1", _mean),
    ]


def _mean(errors: NDArray[np.float64]) -> str:
    return f"{errors.mean():.2f}"


def _line(
    cases: Sequence[Case], group: Group, what: str, target: str, text: Callable[[NDArray[np.float64]], str]
) -> Line:
    errors = np.array([error(case) for case in cases if case.group == group])
    known = errors[~np.isnan(errors)]
    return Line(what, text(known) if len(known) else "", target, len(known), len(errors) - len(known))


def table(lines: Sequence[Line]) -> str:
    """The lines as Markdown."""
    head = "| what | measured | target | judged | unknown |\n|---|---|---|---|---|\n"
    return head + "".join(f"| {x.what} | {x.value} | {x.target} | {x.judged} | {x.unknown} |\n" for x in lines)


def draw(cases: Sequence[Case]) -> Image:
    """What was said against what was true, and how often a confidence was right.

    Raises: MissingExtra without matplotlib.
    """
    if not installed("matplotlib"):
        raise MissingExtra("matplotlib", "plot")
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context("default"):
        figure = Figure(figsize=(15, 4), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        noise, blur, calibration = figure.subplots(1, 3)
        _scatter(noise, "noise: levels, true and estimated", cases, "noise", _COLOURS[0])
        _scatter(noise, "noise: levels, true and estimated", cases, "noise under JPEG", _COLOURS[1])
        _scatter(blur, "blur: pixels along the long axis, true and estimated", cases, "blur", _COLOURS[0])
        _calibration(calibration, cases)
        canvas.draw()
    return Image.from_array(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _scatter(axes: Axes, title: str, cases: Sequence[Case], group: Group, colour: str) -> None:
    pairs = [(_said(c.truth, group), _said(c.report, group)) for c in cases if c.group == group]
    x, y = ([pair[n][0] for pair in pairs if pair[1]] for n in (0, 1))
    axes.plot(x, y, "o", markersize=4, markeredgewidth=0, color=colour, label=group)
    axes.axline((0, 0), slope=1, color="#9aa0ab", linewidth=1)
    axes.set_title(title, loc="left", fontsize=12)
    axes.legend(frameon=False, loc="upper left")


def _calibration(axes: Axes, cases: Sequence[Case]) -> None:
    """The share of right reports among those of a like confidence, in bands of a tenth."""
    axes.axline((0, 0), slope=1, color="#9aa0ab", linewidth=1)
    for what, groups, colour in zip(
        ("noise", "blur"), (("noise", "noise under JPEG"), ("blur",)), _COLOURS, strict=True
    ):
        parts = [(getattr(c.report, what), error(c) <= tolerance(c)) for c in cases if c.group in groups]
        judged = [(min(part.confidence, 0.999), right) for part, right in parts if part is not None]
        bands = {band: [right for confidence, right in judged if int(confidence * 10) == band] for band in range(10)}
        shown = {(band + 0.5) / 10: float(np.mean(rights)) for band, rights in bands.items() if len(rights) >= 5}
        axes.plot(list(shown), list(shown.values()), "o-", color=colour, label=what)
    axes.set_title("confidence, and how often it was right", loc="left", fontsize=12)
    axes.set_xlim(0.4, 1)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, loc="upper left")


def tolerance(case: Case) -> float:
    """The error within which a report's confidence calls it right: see `report`."""
    if case.group in ("jpeg", "blur"):
        return 1.0 if case.group == "jpeg" else 0.25
    return max(2.0, _said(case.truth, case.group)[0] / 5)

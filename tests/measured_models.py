"""What was measured of made-up models, for the tests of the tables and charts of it."""

from __future__ import annotations

from subpixel.benchmarks.tradeoff import Point
from subpixel.evaluation.report import Published, Report, Row

SETS = ("Set5", "Set14")
BICUBIC = Point("bicubic", 3, 30.0, 0.4, None, 0)
SMALL = Point("espcn-x3", 3, 32.0, 0.1, 2739.0, 22_729)
LARGE = Point("swift-x3", 3, 33.5, 0.3, 11_200.0, 101_531)


def report(**psnr: float) -> Report:
    """A report with the PSNR of models (as keywords, _ for -) and bicubic 30 at x3, alike on two sets."""
    values = {"bicubic": 30.0} | {name.replace("_", "-"): value for name, value in psnr.items()}
    rows = [
        Row(name, dataset, 3, "a", metric, value)
        for dataset in SETS
        for name, value in values.items()
        for metric, value in (("psnr", value), ("ssim", value / 100))
    ]
    beside = (Published("espcn-x3", "Set5", 3, "psnr", 32.55, "PAPER"),)
    return Report("PROTOCOL", "DEGRADATION", tuple(rows), beside, ("A note.",))

"""What is wrong with an image: compression, noise, blur and lost resolution, estimated from its pixels."""

from subpixel.analysis.inspection import inspect, inspect_rows
from subpixel.analysis.report import Blur, DegradationReport, Jpeg, Noise

__all__ = ["Blur", "DegradationReport", "Jpeg", "Noise", "inspect", "inspect_rows"]

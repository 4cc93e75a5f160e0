"""Running models: images of any size, kind and target through networks, tile by tile."""

from subpixel.inference.file import upscale_file
from subpixel.inference.plan import Plan
from subpixel.inference.target import Target
from subpixel.inference.upscaler import Upscaler

__all__ = ["Plan", "Target", "Upscaler", "upscale_file"]

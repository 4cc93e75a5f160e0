"""Running models: images of any size, kind and target through networks, tile by tile."""

from subpixel.inference.plan import Plan, Target
from subpixel.inference.upscaler import Upscaler, upscale_file

__all__ = ["Plan", "Target", "Upscaler", "upscale_file"]

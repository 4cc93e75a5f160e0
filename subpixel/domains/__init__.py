"""Images of science and medicine: any number of bands, any numbers, and coordinates that stay true."""

from subpixel.domains.file import upscale_file

__all__ = ["upscale_file"]

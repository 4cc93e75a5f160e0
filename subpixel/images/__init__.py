"""Images in and out: `Image` in memory, and the rows of files (`open_image`, `create`) as they come.

Values are float32 in [0, 1] everywhere. Nothing but the pixels changes on the way through: profile, EXIF, XMP, IPTC,
resolution, alpha and bit depth stay, or the writer's `note` says what a file cannot keep.
"""

from subpixel.images.animation import AnimationReader
from subpixel.images.formats import FORMATS, MISSING_EXTRAS, READABLE, SUFFIXES, Encoding, format_of, suffix_of_result
from subpixel.images.image import Image, check_unmasked, read, write
from subpixel.images.kinds import split_ending
from subpixel.images.metadata import Animation, Colour, Depth, Metadata, Text
from subpixel.images.reader import MAX_PIXELS, ImageReader, open_any, open_image
from subpixel.images.samples import Floats, dequantise, from_batch, quantise, to_batch
from subpixel.images.writer import ImageWriter, create

__all__ = [
    "FORMATS", "MAX_PIXELS", "MISSING_EXTRAS", "READABLE", "SUFFIXES", "Animation", "AnimationReader", "Colour",
    "Depth", "Encoding", "Floats", "Image", "ImageReader", "ImageWriter", "Metadata", "Text",
    "check_unmasked", "create", "dequantise", "format_of", "from_batch", "open_any", "open_image", "quantise", "read",
    "split_ending", "suffix_of_result", "to_batch", "write",
]  # fmt: skip

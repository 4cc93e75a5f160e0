"""Images in and out: `Image` in memory, and the rows of files (`open_image`, `create`) as they come.

Values are float32 in [0, 1] everywhere. Nothing but the pixels changes on the way through: profile, EXIF, XMP, IPTC,
resolution, alpha and bit depth stay, or `lost_on_write` says what a format cannot keep.
"""

from subpixel.images.formats import FORMATS, Encoding, format_of, lost_on_write
from subpixel.images.image import Image, read, write
from subpixel.images.metadata import Depth, Metadata
from subpixel.images.reader import MAX_PIXELS, ImageReader, open_image
from subpixel.images.samples import Floats, dequantise, from_batch, quantise, to_batch
from subpixel.images.writer import ImageWriter, create

__all__ = [
    "FORMATS", "MAX_PIXELS", "Depth", "Encoding", "Floats", "Image", "ImageReader", "ImageWriter", "Metadata", "create",
    "dequantise", "format_of", "from_batch", "lost_on_write", "open_image", "quantise", "read", "to_batch", "write",
]  # fmt: skip

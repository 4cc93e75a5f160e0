"""What an image may cost: told from its header or its size, before anything is decoded, computed or encoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from subpixel.errors import TooLarge, UnreadableImage, UnwritableImage
from subpixel.ports import Shape

HELD = 900 * 2**20
"""Bytes that a decoder may hold for an image which it cannot give row by row."""
_COPIES = {"heif": 5, "webp": 3, "jxl": 5, "jp2k": 3, "gif": 2}
"""How many times its own pixels a decoder holds; measured with images of 64 and 144 megapixels."""
_BESIDE = {"BMP": 14, "TGA": 14, "PNM": 14, "JPEG XL": 18, "HEIC": 12}
"""Bytes that are held for a pixel by what decodes beside libvips, in all copies; 24 in other formats."""
_ENCODED = {"AVIF": 2**26}
"""Pixels that are encoded as a whole at most: AVIF takes 36 bytes and 2 microseconds for each."""


def check_pixels(most: int, name: str | Path, width: int, height: int) -> None:
    """Refuses an image that claims more than so many pixels, or none. Raises: TooLarge, UnreadableImage."""
    if min(width, height) < 1:
        raise UnreadableImage(name, "it has no pixels")
    if width * height > most:
        size = f"it claims {width:,} x {height:,} pixels"
        raise TooLarge(name, f"{size}, more than the limit of {most:,} in all")


def check_decoding(name: str | Path, image: Any, orientation: int) -> None:
    """Refuses an image of libvips that would be decoded as a whole and is too large for that.

    WebP, AVIF, GIF and their like, interlaced PNG and progressive JPEG are, and what has to be turned.
    Raises: UnreadableImage.
    """
    size = image.width * image.height * image.bands * (2 if image.format == "ushort" else 1)
    whole = _whole(image, orientation)
    held = size * sum(copies for copies, _ in whole)
    if held > HELD:
        why = " and ".join(reason for _, reason in whole)
        raise UnreadableImage(name, _too_large(image.width, image.height, why, held))


def check_decoding_beside(name: str | Path, file_format: str, width: int, height: int, sample: int) -> None:
    """Refuses an image that another library than libvips would decode and that is too large for that.

    sample: bytes of one; 0 where nothing is decoded.
    Raises: UnreadableImage.
    """
    held = width * height * _BESIDE.get(file_format, 24) * sample
    if held > HELD:
        raise UnreadableImage(name, _too_large(width, height, f"decoded as a whole from {file_format}", held))


def _too_large(width: int, height: int, why: str, held: int) -> str:
    takes = f"would take {held / 2**30:.1f} GiB of memory at once"
    return f"{width:,} x {height:,} pixels, {why}: that {takes}; convert it to a plain PNG or TIFF first"


def _whole(image: Any, orientation: int) -> list[tuple[int, str]]:
    """Why an image cannot be decoded row by row, and how many times its pixels are held for each reason."""
    loader = str(image.get("vips-loader"))
    kind = next((kind for kind in _COPIES if loader.startswith(kind)), None)
    reasons = [(_COPIES[kind], f"decoded as a whole by {loader}")] if kind else []
    if image.get_typeof("interlaced") and image.get("interlaced"):
        reasons.append((2, "interlaced or progressive"))
    if orientation > 1:
        reasons.append((1, "to be turned upright"))
    return reasons


def check_encoding(name: str | Path, file_format: str, shape: Shape) -> None:
    """Refuses a result that would be encoded as a whole and is too large for that. Raises: UnwritableImage."""
    most = _ENCODED.get(file_format, shape.pixels)
    if shape.pixels > most:
        size = f"{shape.width:,} x {shape.height:,} pixels"
        raise UnwritableImage(
            name, f"{size}, and {file_format} is encoded as a whole, up to {most:,}; choose png or tif"
        )

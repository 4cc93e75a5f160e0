"""Levels into a file: libvips encodes the pixels; what it would drop or make up beside them is put in afterwards."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from subpixel.images import boxes, exif, jpeg, png, tiff, webp, xmp
from subpixel.images.animation import as_column, write_apng
from subpixel.images.formats import Encoding, FileFormat
from subpixel.images.metadata import Metadata, iptc_to_jpeg
from subpixel.images.samples import levels_to_srgb, vips

_KEEP = {"JPEG": 2 + 4 + 8 + 16, "WebP": 2 + 8 + 16, "AVIF": 1 + 2 + 8 + 16, "TIFF": 2 + 8 + 16, "PNG": 8, "GIF": 16}
"""VipsForeignKeep (EXIF 1, XMP 2, IPTC 4, ICC 8, others 16): the blocks that libvips writes."""


def encode(image: Any, part: Path, file_format: FileFormat, metadata: Metadata, encoding: Encoding) -> None:
    """Write an image of libvips into a file, with its metadata. Raises: OSError, pyvips.Error."""
    frames = len(metadata.animation.delays) if metadata.animation else 1
    metadata = _of_size(metadata, file_format, image.height // frames, image.width)
    options = _options(image, file_format, metadata, encoding)
    image = image if file_format.icc or not metadata.icc else levels_to_srgb(image, metadata.icc)
    image = _with_blocks(image, file_format, metadata)
    if metadata.animation and file_format.name == "PNG":
        write_apng(image, part, metadata.animation, options)
    else:
        with part.open("w+b") as file:  # by descriptor: libvips takes no name that is not UTF-8
            target = vips().Target.new_to_descriptor(file.fileno())
            getattr(image, f"{file_format.save}_target")(target, **options)
    if file_format.name == "PNG":
        with part.open("r+b") as file:
            pixels, before = png.amend(file, metadata)
        if before:
            _begin_with(part, pixels, before)
    elif file_format.name == "JPEG":
        _begin_with(part, 2, jpeg.leading_segments(metadata))
    else:
        with part.open("r+b") as file:
            _amend(file, file_format, metadata)


def _of_size(metadata: Metadata, file_format: FileFormat, height: int, width: int) -> Metadata:
    """What the blocks say of size and resolution, made true; a format without its own resolution gets it by EXIF."""
    block = metadata.exif or (tiff.EMPTY if metadata.dpi and file_format.name in ("WebP", "AVIF") else None)
    sides, old = (height, width), metadata.sides or (height, width)
    block = block and exif.amended(block, sides, old, metadata.dpi)
    packet = metadata.xmp and xmp.amended(metadata.xmp, sides, old, file_format.name.lower())
    return replace(metadata, exif=block, xmp=packet)


def unused_sentences(file_format: FileFormat, metadata: Metadata, encoding: Encoding) -> list[str]:
    """What was asked of an encoding and has no place in this file."""
    sentences = list[str]()
    if encoding.quality != Encoding.quality and (not file_format.lossy or _is_lossless(metadata, encoding)):
        kind = f"lossless {file_format.name}" if file_format.lossy else file_format.name
        sentences.append(f"quality {encoding.quality} was not used, for {kind} has none")
    if encoding.compress and file_format.name not in ("PNG", "TIFF"):
        sentences.append("compress was not used, for it is of PNG and TIFF")
    return sentences


def _is_lossless(metadata: Metadata, encoding: Encoding) -> bool:
    """Where a format can be both."""
    return metadata.lossless if encoding.lossless is None else encoding.lossless


def _options(image: Any, file_format: FileFormat, metadata: Metadata, encoding: Encoding) -> dict[str, Any]:
    quality, compress = encoding.quality, encoding.compress
    lossless = _is_lossless(metadata, encoding)
    options: dict[str, Any] = {
        "PNG": {"compression": 7, "filter": "all"} if compress else {"compression": 1, "filter": "sub"},
        "JPEG": {"Q": quality, "subsample_mode": "off"},
        "WebP": {"Q": quality, "smart_subsample": True, "effort": 2, "lossless": lossless, "exact": lossless},
        "TIFF": {
            "compression": "deflate",
            "level": 6 if compress else 1,
            "predictor": "none" if metadata.depth == 32 else "horizontal",  # few readers know that for floats
            "bigtiff": image.width * image.height * image.bands * metadata.depth // 8 > 3.5e9,
        },
        "AVIF": {
            "Q": quality,
            "subsample_mode": "off",
            "compression": "av1",
            "effort": 2,
            "lossless": lossless,
            "bitdepth": metadata.depth,
        },
        "GIF": {"effort": 4},
    }[file_format.name]
    without_exif = file_format.name == "AVIF" and not metadata.exif
    return options | {"keep": _KEEP[file_format.name] - without_exif}


def _amend(file: BinaryIO, file_format: FileFormat, metadata: Metadata) -> None:
    if file_format.name == "TIFF":
        tiff.into_tiff(file, metadata.exif, metadata.iptc, has_resolution=metadata.dpi is not None)
    elif file_format.name == "WebP" and metadata.exif:
        webp.add_exif(file, metadata.exif)
    elif file_format.name == "AVIF":
        if metadata.exif:
            boxes.set_exif(file, metadata.exif)
        if metadata.colour.cicp:
            boxes.set_colour(file, metadata.colour.cicp)


def _begin_with(path: Path, position: int, data: bytes) -> None:
    """Put data in place of what a file has before a position."""
    whole = path.with_suffix(".whole")
    try:
        with path.open("rb") as source, whole.open("xb") as target:
            target.write(data)
            source.seek(position)
            shutil.copyfileobj(source, target)
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)


def _with_blocks(image: Any, file_format: FileFormat, metadata: Metadata) -> Any:
    """The image with the blocks that libvips writes as they are; it makes up AVIF's EXIF, which is replaced."""
    x, y = metadata.dpi or (72.0, 72.0)
    gray = image.bands < 3
    space = ("grey16" if gray else "rgb16") if metadata.depth in (10, 12, 16) else "b-w" if gray else "srgb"
    image = image.copy(interpretation=space, xres=x / 25.4, yres=y / 25.4)
    image = as_column(image, metadata.animation) if metadata.animation else image
    blocks = {
        "icc-profile-data": metadata.icc,
        "xmp-data": file_format.name != "PNG" and metadata.xmp,  # libvips would write Latin-1 text there
        "iptc-data": metadata.iptc and file_format.name == "JPEG" and iptc_to_jpeg(metadata.iptc),
    }
    for name, block in blocks.items():
        if block:
            image.set_type(vips().GValue.blob_type, name, block)
    return image

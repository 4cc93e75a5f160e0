"""A folder of images as a video: in the natural order of their names, all of one size."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from subpixel.errors import UnreadableImage
from subpixel.images import Metadata, dequantise, open_image, quantise
from subpixel.jobs.walk import below
from subpixel.ports import Shape
from subpixel.video.colours import FULL, UNSPECIFIED, Colours
from subpixel.video.damage import Damage
from subpixel.video.hdr import Static
from subpixel.video.planes import Layout, Plane, frame_of
from subpixel.video.source import Source

_RGB = 0
"""The matrix of R'G'B' (ITU-T H.273)."""


def natural(name: str) -> list[str | int]:
    """What names are ordered by: frame 9 comes before frame 10."""
    return [int(part) if k % 2 else part.lower() for k, part in enumerate(re.split(r"([0-9]+)", name))]


def probe_folder(folder: Path, fps: float | None = None) -> Source:
    """Reads the header of every image in a folder. Raises: UnreadableImage, also for one of another size."""
    images = tuple(folder / name for name in sorted(next(below(str(folder))).names, key=natural))
    headers = {path: header for path in images if (header := _header(path))}
    if not headers:
        raise UnreadableImage(folder, "there is no image in it")
    height, width = _one_size({path: shape for path, (shape, _) in headers.items()})
    layout = _layout([shape for shape, _ in headers.values()])
    metadata = next(iter(headers.values()))[1]
    primaries, transfer = (metadata.colour.cicp or (UNSPECIFIED, UNSPECIFIED))[:2]
    rate = _rate(fps or 25)
    return Source(
        path=folder,
        container="a folder",
        index=0,
        codec="images",
        height=height,
        width=width,
        layout=layout,
        colours=Colours(FULL, UNSPECIFIED if layout.is_gray else _RGB, primaries, transfer),
        aspect=Fraction(1),
        time_base=1 / rate,
        rate=rate,
        began=0.0,
        duration=float(len(images) / rate),
        interlaced=False,
        rotation=None,
        hdr=Static(),
        dropped=tuple(_dropped({path: metadata for path, (_, metadata) in headers.items()})),
        images=images,
    )


def _rate(fps: float) -> Fraction:
    """As exact as film's 24000/1001; what is slower than one frame in 1001 seconds is told by how long one stays."""
    return Fraction(fps).limit_denominator(1001) or 1 / Fraction(1 / fps).limit_denominator(1001)


def _header(path: Path) -> tuple[Shape, Metadata] | None:
    """None for what is damaged; that is counted when its turn comes."""
    try:
        image = open_image(path)
    except UnreadableImage:
        return None
    return image.shape, image.metadata


def _one_size(shapes: dict[Path, Shape]) -> tuple[int, int]:
    counts = Counter((shape.height, shape.width) for shape in shapes.values())
    ((height, width), count), *others = counts.most_common()
    if others:
        odd, shape = next((path, s) for path, s in shapes.items() if (s.height, s.width) != (height, width))
        why = f"it is {shape.width}x{shape.height}, and {count} of the {len(shapes)} frames are {width}x{height}"
        raise UnreadableImage(odd, f"{why}; frames are of one size: take it out of the folder")
    return height, width


def _layout(shapes: list[Shape]) -> Layout:
    """What holds all of them."""
    alpha = any(shape.alpha for shape in shapes)
    is_rgb = alpha or any(shape.channels == 3 for shape in shapes)
    return Layout(8 if all(shape.dtype == "uint8" for shape in shapes) else 16, is_rgb, not is_rgb, alpha)


def _dropped(images: dict[Path, Metadata]) -> Iterator[str]:
    colours = {
        path: (_profile(metadata), (metadata.colour.cicp or (UNSPECIFIED,) * 2)[:2])
        for path, metadata in images.items()
    }
    first, *_ = colours.values()
    if first[0]:
        yield "the colour profile of the images"
    if others := [path.name for path, stated in colours.items() if stated != first]:
        count = f"{len(others)} of {len(colours)} images"
        yield f"the colours of {count}, such as {others[0]}, which state others than the first"


def _profile(metadata: Metadata) -> bytes | None:
    """What is not sRGB."""
    is_srgb = metadata.icc is None or b"sRGB" in metadata.icc.replace(b"\0", b"")
    return None if is_srgb else metadata.icc


def decoded_images(source: Source, damage: Damage, sought: float = 0.0) -> Iterator[Any]:
    """The images as frames, from a second on; `damage` counts those that cannot be read."""
    first = int(sought * source.rate)
    for number, path in enumerate(source.images[first:], first):
        try:
            image = open_image(path)
            if (image.shape.height, image.shape.width) != (source.height, source.width):
                damage.resized += 1
                continue
            samples = image.rows(0, source.height)
        except UnreadableImage:
            damage.undecodable += 1
            continue
        frame: Any = frame_of(_planes(samples, image.shape, source.layout), source.layout)
        frame.pts, frame.time_base = number, source.time_base
        frame.color_range = source.colours.range
        yield frame


def _planes(samples: Any, shape: Shape, layout: Layout) -> list[Plane]:
    depth = 8 if layout.bits == 8 else 16
    codes = samples if samples.dtype == layout.dtype else quantise(dequantise(samples), depth)
    if layout.is_gray:
        return [codes[..., 0]]
    colour = [codes[..., k % shape.channels] for k in (1, 2, 0)]
    if not layout.alpha:
        return colour
    opaque = np.full(codes.shape[:2], np.iinfo(codes.dtype).max, codes.dtype)
    return [*colour, codes[..., -1] if shape.alpha else opaque]

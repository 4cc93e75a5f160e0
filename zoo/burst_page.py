"""The image of docs/how-to/burst.md: one frame of a made burst, enlarged alone, and fused, beside the truth.

python -m zoo.burst_page    docs/images/burst.webp
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from subpixel.benchmarks.burst import Setting, make_burst
from subpixel.burst import fuse
from subpixel.images import Encoding, Floats, Image, dequantise, quantise, read, write
from subpixel.inference.upscaler import Upscaler

PHOTO, DETAIL = "page.png", (slice(51, 147), slice(108, 252))
SCALE = 3
SETTING = Setting("16 frames", 16, psf=0.4, noise=4, degrees=0.5)
_ZOOM, _MARGIN, _CAPTION = 3, 16, 40


def write_image(photos: Path, images: Path) -> Path:
    """Writes burst.webp into `images`."""
    original = read(photos / PHOTO).pixels
    rows = len(original) // SCALE * SCALE
    truth = np.ascontiguousarray(np.broadcast_to(original[:rows], (rows, original.shape[1], 3)))
    frames, _ = make_burst(truth, SETTING, SCALE, np.random.default_rng(0))
    panels = {
        "one frame": dequantise(frames[0]).repeat(SCALE, axis=0).repeat(SCALE, axis=1),
        "enlarged alone (auto)": dequantise(Upscaler("auto", scale=SCALE)(frames[0])),
        "16 frames fused": fuse(frames, SCALE, psf=SETTING.psf, reference=0).image.pixels,
        "the truth": truth,
    }
    target = images / "burst.webp"
    write(target, _drawn({name: pixels[DETAIL] for name, pixels in panels.items()}), Encoding(quality=85))
    return target


def _drawn(panels: dict[str, Floats]) -> Image:
    tall, wide = (n * _ZOOM for n in next(iter(panels.values())).shape[:2])
    canvas = Pillow.new("RGB", (2 * (wide + _MARGIN) + _MARGIN, 2 * (tall + _CAPTION) + _MARGIN), "#15171c")
    ink, font = ImageDraw.Draw(canvas), ImageFont.load_default(20)
    for k, (name, pixels) in enumerate(panels.items()):
        left, top = _MARGIN + k % 2 * (wide + _MARGIN), _MARGIN + k // 2 * (tall + _CAPTION)
        levels = quantise(pixels, 8).repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
        canvas.paste(Pillow.fromarray(np.ascontiguousarray(levels)), (left, top))
        ink.text((left, top + tall + 8), name, fill="#f2f3f5", font=font)
    return Image.from_array(np.asarray(canvas))


if __name__ == "__main__":
    print(write_image(Path("examples"), Path("docs/images")))

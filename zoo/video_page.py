"""The animation of docs/how-to/video.md: a clip reduced twice, enlarged four times by bicubic and by swift.

python -m zoo.video_page CLIP    docs/images/video.webp; CLIP is Big Buck Bunny at 1280x720, see the page's credit
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from subpixel.benchmarks.video import write_video
from subpixel.resample import resize
from subpixel.video.decoding import Frames
from subpixel.video.enlarging import rgb_image
from subpixel.video.planes import Plane
from subpixel.video.request import VideoRequest
from subpixel.video.source import probe
from subpixel.video.upscaling import upscale

_LEFT, _TOP, _WIDTH, _HEIGHT = 496, 200, 256, 192
"""The detail, in pixels of the clip."""
_FIRST, _STOP, _EVERY, _MILLISECONDS = 36, 76, 2, 80


def draw(clip: Path, target: Path) -> Path:
    """Writes the animation, bicubic at the left and swift at the right. Raises: as `probe` and `upscale` do."""
    source = probe(clip)
    frames = islice(Frames(source), _FIRST, _STOP, _EVERY)
    with tempfile.TemporaryDirectory() as place:
        low = write_video(source, Path(place, "low.mkv"), "ffv1", ((f.pts, _detail(f.planes)) for f in frames))
        sides = [list(_enlarged(low.path, Path(place, f"{model}.mkv"), model)) for model in ("bicubic", "swift")]
    first, *rest = (PIL.Image.fromarray(np.concatenate(pair, axis=1)) for pair in zip(*sides, strict=True))
    first.save(target, save_all=True, append_images=rest, duration=_MILLISECONDS, loop=0, quality=60, method=4)
    return target


def _detail(planes: list[Plane]) -> list[Plane]:
    """The detail of the planes of 4:2:0, reduced twice."""
    details = [
        plane[_TOP // s : (_TOP + _HEIGHT) // s, _LEFT // s : (_LEFT + _WIDTH) // s]
        for plane, s in zip(planes, (1, 2, 2), strict=True)
    ]
    return [resize(detail, detail.shape[0] // 2, detail.shape[1] // 2) for detail in details]


def _enlarged(source: Path, target: Path, model: str) -> Iterator[NDArray[np.uint8]]:
    for _ in upscale(source, target, VideoRequest.parse({"model": model, "scale": 4, "codec": "ffv1"})):
        pass
    enlarged = probe(target)
    for frame in Frames(enlarged):
        yield (255 * rgb_image(frame.planes, enlarged) + 0.5).astype(np.uint8)


if __name__ == "__main__":
    print(draw(Path(sys.argv[1]), Path(__file__).parents[1] / "docs/images/video.webp"))

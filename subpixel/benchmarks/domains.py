"""Fields of use: photographs of one kind, printed text and stars, each by the measure that its field has.

What is measured was never trained on; the low resolution is the mean over areas, as a sensor's pixels take it, and
has 8 bits where it is a photograph.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.datasets.files import find_images
from subpixel.domains.formats import format_of
from subpixel.domains.frames import nowhere
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.values import in_memory
from subpixel.errors import DataError, RuntimeUnavailable, UnreadableImage
from subpixel.images import Image, write
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.psnr import psnr

Array = NDArray[Any]
_SIDE = 512
"""Of each photograph this much is measured, in its middle."""
_APERTURE = 4.0
"""Radius in which a star's light is summed, in pixels of the reference."""
_STARS = 40
TEXT = """The quick brown fox jumps over the lazy dog, while 1024 small pixels
wait in rows of 32. A lens gathers light; what it cannot resolve is
lost before any network sees it. Invoice 4711, due on 30 June 2025:
total 1,386.50. Please quote number 8B-603 in all correspondence.
Measured values: 0.073, 16.8, 593 and 2.04. Never trust a digit that
was guessed by a model; compare it with the paper it came from."""
"""What the page says whose reading is measured."""


@dataclass(frozen=True)
class FieldLine:
    """One candidate in one field."""

    field: str
    candidate: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Candidate:
    """A model, and whether its results are made consistent with the box."""

    model: str
    consistent: bool

    @property
    def name(self) -> str:
        """As the tables call it."""
        return f"{self.model}, consistent" if self.consistent else self.model

    def upscaler(self, scale: int) -> Upscaler:
        """What enlarges so many times, as the candidate does."""
        return Upscaler(self.model, scale=scale, consistent="box" if self.consistent else "none")


def candidates(models: Iterable[str]) -> list[Candidate]:
    """Each model with and without consistency."""
    return [Candidate(model, consistent) for model in models for consistent in (False, True)]


def bench_photographs(field: str, photos: Sequence[Array], scale: int, of: Sequence[Candidate]) -> list[FieldLine]:
    """RGB-PSNR in dB, the mean over photographs H W 3 of 8 bits, and the smallest gain over the first candidate."""
    lows = [_reduced(photo, scale) for photo in photos]
    references = [_whole(photo, scale) / 255 for photo in photos]
    lines, first = list[FieldLine](), list[float]()
    for candidate in of:
        with candidate.upscaler(scale) as upscaler:
            scores = [psnr(upscaler(low) / 255, high) for low, high in zip(lows, references, strict=True)]
        first = first or scores
        least = min(a - b for a, b in zip(scores, first, strict=True))
        lines.append(FieldLine(field, candidate.name, {"PSNR": float(np.mean(scores)), "least gain": least}))
    return lines


def fields(folder: Path) -> list[Path]:
    """The folders in it, one for each field. Raises: DataError where there are none."""
    try:
        folders = sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {(error.strerror or '').lower()}") from error
    if not folders:
        raise DataError(f"{folder} has no folders in it; expected one for each field, with its photographs")
    return folders


def photographs(folder: Path, most: int = 16) -> list[Array]:
    """The middles of the images of a folder, each H W 3 in uint8. Raises: DataError where there are none."""
    return [_middle(file.rgb()) for file in list(find_images(folder))[:most]]


def _middle(photo: Array) -> Array:
    height, width = (min(side, _SIDE) for side in photo.shape[:2])
    y, x = (photo.shape[0] - height) // 2, (photo.shape[1] - width) // 2
    return photo[y : y + height, x : x + width, :3]


def _whole(values: Array, scale: int) -> Array:
    height, width = (side // scale * scale for side in values.shape[:2])
    return values[:height, :width]


def _means(values: Array, scale: int) -> Array:
    whole = _whole(values, scale).astype(np.float64)
    height, width = (side // scale for side in whole.shape[:2])
    return whole.reshape(height, scale, width, scale, *whole.shape[2:]).mean((1, 3))


def _reduced(photo: Array, scale: int) -> Array:
    return np.floor(_means(photo, scale) + 0.5).astype(np.uint8)


def bench_text(scale: int, of: Sequence[Candidate]) -> list[FieldLine]:
    """The share of characters that tesseract reads wrongly on a page whose text is known, and PSNR.

    Raises: RuntimeUnavailable without tesseract.
    """
    if shutil.which("tesseract") is None:
        raise RuntimeUnavailable("tesseract is not installed; it is tesseract-ocr in Debian and Ubuntu")
    original = render_text(TEXT)
    low = _reduced(original, scale)
    lines = [
        FieldLine("text", name, {"errors": read_errors(image)})
        for name, image in (("reference", original), ("low", low))
    ]
    for candidate in of:
        with candidate.upscaler(scale) as upscaler:
            result = upscaler(low)
        values = {"PSNR": psnr(result / 255, _whole(original, scale) / 255), "errors": read_errors(result)}
        lines.append(FieldLine("text", candidate.name, values))
    return lines


def render_text(text: str) -> Array:
    """A page H W 3 of black letters, 18 pixels high with their lines, on white."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    image = Pillow.new("RGB", (640, 176), "white")
    ImageDraw.Draw(image).multiline_text((16, 16), text, fill="black", font=ImageFont.load_default(15), spacing=8)
    return np.asarray(image)


def read_errors(image: Array) -> float:
    """The edit distance between what tesseract reads and TEXT, for each character; blanks and line ends are one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.png")
        write(path, Image.from_array(image))
        command = ["tesseract", str(path), "-", "--psm", "6", "-l", "eng"]
        read = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    expected = " ".join(TEXT.split())
    return edit_distance(" ".join(read.split()), expected) / len(expected)


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and replacements between two texts (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def bench_stars(sky: Array, scale: int, of: Sequence[Candidate]) -> list[FieldLine]:
    """Photometry and centroids of the brightest stars of an image H W, after it was reduced and enlarged again.

    flux: the root mean square of the relative error of what lies in an aperture; centroid: that of the place, in
    pixels of the reference; both against the reference itself.
    Raises: DataError where pixels have no value, or no star is found.
    """
    reference = _whole(sky, scale).astype(np.float64)
    if not np.isfinite(reference).all():
        raise DataError("the image of stars has pixels without a value; cut out a part that has none")
    stars = brightest(reference, _STARS)
    if not stars:
        raise DataError("no star in the image; expected some that stand out, 12 pixels or more from its border")
    background = float(np.median(reference))
    truth = [_measured(reference - background, star) for star in stars]
    lines = list[FieldLine]()
    for candidate in of:
        result = _enlarged(_means(sky, scale), candidate, scale)
        measured = np.array([_measured(result - background, star) for star in stars])
        flux = measured[:, 0] / np.array(truth)[:, 0] - 1
        moved = np.hypot(*(measured[:, 1:] - np.array(truth)[:, 1:]).T)
        error = np.sqrt(np.mean((result - reference) ** 2))
        values = {"flux": float(np.sqrt(np.mean(flux**2))), "centroid": float(np.sqrt(np.mean(moved**2)))}
        lines.append(FieldLine("sky", candidate.name, values | {"RMSE": float(error)}))
    return lines


def sky(path: Path) -> Array:
    """The first plane of a FITS file, H W. Raises: UnreadableImage."""
    file_format = format_of(path)
    if file_format is None:
        raise UnreadableImage(path, "it is no FITS")
    with closing(file_format.open(path)) as opened:
        plane = opened.planes[0]
        return np.asarray(plane.values.rows(0, plane.sides[0]))[..., 0]


def _enlarged(low: Array, candidate: Candidate, scale: int) -> Array:
    plane = Plane(nowhere(*low.shape), in_memory(low), np.dtype(np.float64), law="asinh")
    with candidate.upscaler(scale) as upscaler:
        result = Enlarged(plane, upscaler)
        return result.rows(0, result.shape.height)[..., 0]


def brightest(sky: Array, count: int) -> list[tuple[int, int]]:
    """Rows and columns of the brightest maxima, none nearer than three apertures to another or to the border."""
    apart, centres = 3 * int(_APERTURE), list[tuple[int, int]]()
    inner = np.full(sky.shape, -np.inf)
    inner[apart:-apart, apart:-apart] = sky[apart:-apart, apart:-apart]
    faint = float(np.median(sky)) + 0.05 * float(np.ptp(sky))
    while len(centres) < count and inner.max() > faint:
        y, x = (int(i) for i in np.unravel_index(int(np.argmax(inner)), inner.shape))
        centres.append((y, x))
        inner[max(0, y - apart) : y + apart, max(0, x - apart) : x + apart] = -np.inf
    return centres


def _measured(sky: Array, star: tuple[int, int]) -> tuple[float, float, float]:
    """The light of a star within the aperture, and its centre: row and column."""
    y, x = (grid.astype(float) for grid in np.mgrid[: sky.shape[0], : sky.shape[1]])
    part = (slice(star[0] - 6, star[0] + 7), slice(star[1] - 6, star[1] + 7))
    y, x, light = y[part], x[part], sky[part]
    light = np.where(np.hypot(y - star[0], x - star[1]) <= _APERTURE, light, 0)
    total = float(light.sum())
    return total, float((light * y).sum()) / total, float((light * x).sum()) / total


def table(lines: Iterable[FieldLine]) -> str:
    """Markdown, a table for each field."""
    shown, text = list[str](), list[str]()
    form: dict[str, Callable[[float], str]] = {"errors": "{:.1%}".format, "flux": "{:.2%}".format}
    for line in lines:
        names = [name for name in ("PSNR", "least gain", "errors", "flux", "centroid", "RMSE") if name in line.values]
        if line.field not in shown:
            shown.append(line.field)
            text += ["", f"**{line.field}**", ""]
        cells = [f"{name} {form.get(name, '{:.3f}'.format)(line.values[name])}" for name in names]
        text.append(f"- {line.candidate}: {', '.join(cells)}")
    return "\n".join(text[1:]) + "\n"

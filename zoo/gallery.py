"""A page of details of photos, enlarged by the models beside bicubic and the original.

python -m zoo.gallery    docs/gallery.md and its images
"""

from __future__ import annotations

from pathlib import Path

from subpixel import models
from subpixel.errors import DataError
from subpixel.images import Encoding, Image, read, write
from subpixel.inference.comparison import Box, compare
from zoo.models_page import write_page

FAMILIES = ("fsrcnn", "edsr-base", "swift", "srgan")
"""What is shown, where the package has it at the scale."""
DETAILS = {
    "face": ("A face", Box(44, 56, 96, 96)),
    "text": ("Text", Box(0, 0, 96, 96)),
    "foliage": ("Foliage", Box(60, 24, 96, 96)),
    "architecture": ("Architecture", Box(48, 48, 96, 96)),
    "fur": ("Fur", Box(0, 92, 96, 96)),
    "night": ("Night", Box(84, 96, 96, 96)),
}
"""The crops of the tests by file name: title, and the detail in the crop's pixels."""


def write_gallery(photos: Path, docs: Path, scale: int = 4) -> Path:
    """Writes gallery.md and images/gallery-NAME.webp into `docs`.

    photos: the crops of the tests; the page of their credits, CREDITS.md, lies beside that folder.
    Raises: DataError for a photo or credits that are missing; as `compare` does.
    """
    shown = [f"{family}-x{scale}" for family in FAMILIES if f"{family}-x{scale}" in models.names()]
    thanks = _credits(photos.resolve().parent / "CREDITS.md")
    lines = [
        "# Gallery\n",
        f"Made by `python -m zoo.gallery`. Each photo is reduced {scale} times (MATLAB's bicubic) and enlarged again: "
        f"{', '.join(('the reduced input', 'bicubic', *shown))} and the original. PSNR: luma of the whole "
        "photo at the left. No model has seen these photos in training.\n",
    ]
    (docs / "images").mkdir(parents=True, exist_ok=True)
    for name, (title, detail) in DETAILS.items():
        file = f"images/gallery-{name}.webp"
        drawn = compare(_photo(photos, name), shown, scale=scale, crop=detail, reduce=True, title=title)
        write(docs / file, drawn, Encoding(quality=80))
        lines.append(f"## {title}\n\n![{title}: input, bicubic, models, original]({file})\n")
    return write_page(docs / "gallery.md", "\n".join([*lines, "## Credits\n", thanks]) + "\n")


def _photo(folder: Path, name: str) -> Image:
    path = folder / f"{name}.webp"
    if not path.is_file():
        raise DataError(f"no {path}; expected the crops of tests/data/crops")
    return read(path)


def _credits(path: Path) -> str:
    """The table of a page of credits."""
    try:
        return "\n".join(line for line in path.read_text("utf-8").splitlines() if line.startswith("|"))
    except OSError as error:
        raise DataError(f"cannot read the credits of the photos in {path}: {error.strerror}") from None


if __name__ == "__main__":
    print(write_gallery(Path("tests/data/crops"), Path("docs")))

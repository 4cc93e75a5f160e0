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
    "face": ("A face", "astronaut.jpg", Box(64, 0, 384, 384)),
    "fur": ("Fur", "chelsea.jpg", Box(40, 0, 384, 300)),
    "cup": ("A cup", "coffee.jpg", Box(150, 8, 384, 384)),
    "text": ("Text", "page.png", Box(0, 0, 384, 188)),
    "night": ("Night", "rocket.jpg", Box(128, 40, 384, 384)),
}
"""By name: the title, the photo of examples/, and a detail of at least 96 pixels of what is enlarged."""


def write_gallery(photos: Path, docs: Path, scale: int = 4) -> Path:
    """Writes gallery.md and images/gallery-NAME.webp into `docs`.

    photos: holds those of DETAILS and the page of their credits, CREDITS.md.
    Raises: DataError for a photo or credits that are missing; as `compare` does.
    """
    shown = [f"{family}-x{scale}" for family in FAMILIES if f"{family}-x{scale}" in models.names()]
    thanks = _credits(photos / "CREDITS.md")
    lines = [
        "# Gallery\n",
        f"Made by `python -m zoo.gallery`. Each photo is reduced {scale} times (MATLAB's bicubic) and enlarged again: "
        f"{', '.join(('the reduced input', 'bicubic', *shown))} and the original. PSNR: luma of the whole "
        "photo at the left. No model has seen these photos in training.\n",
    ]
    (docs / "images").mkdir(parents=True, exist_ok=True)
    for name, (title, source, detail) in DETAILS.items():
        file = f"images/gallery-{name}.webp"
        drawn = compare(_photo(photos / source), shown, scale=scale, crop=detail, reduce=True, title=title)
        write(docs / file, drawn, Encoding(quality=80))
        lines.append(f"## {title}\n\n![{title}: input, bicubic, models, original]({file})\n")
    return write_page(docs / "gallery.md", "\n".join([*lines, "## Credits\n", thanks]) + "\n")


def _photo(path: Path) -> Image:
    if not path.is_file():
        raise DataError(f"no {path}; expected the photos of examples/")
    return read(path)


def _credits(path: Path) -> str:
    """The table of a page of credits, without the lines of what is not shown."""
    shown = ("| file", "|--", *(f"| {source} " for _, source, _ in DETAILS.values()))
    try:
        return "\n".join(line for line in path.read_text("utf-8").splitlines() if line.startswith(shown))
    except OSError as error:
        raise DataError(f"cannot read the credits of the photos in {path}: {error.strerror}") from None


if __name__ == "__main__":
    print(write_gallery(Path("examples"), Path("docs")))

"""Pages of details of photos, enlarged beside bicubic: against the original, and of photos as people have them.

python -m zoo.gallery    docs/gallery.md, docs/real.md and their images
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from subpixel import models
from subpixel.errors import DataError
from subpixel.images import Encoding, Image, read, write
from subpixel.inference.comparison import Box, compare
from subpixel.ports import ModelName
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
REAL = {
    "portrait": ("A portrait of 1984, as JPEG", "real/grace_hopper.jpg", Box(190, 90, 128, 128)),
    "coins": ("An old photo of coins, as JPEG", "real/coins.png", Box(96, 60, 128, 128)),
    "page": ("A scanned page, as JPEG", "page.png", Box(0, 40, 128, 128)),
    "tissue": ("Tissue under a microscope, as JPEG", "real/ihc.png", Box(200, 200, 128, 128)),
    "galaxies": ("Galaxies, a little blurred", "real/hubble_deep_field.jpg", Box(560, 380, 128, 128)),
    "vessels": ("Vessels of a retina, blurred", "real/microaneurysms.png", Box(0, 0, 102, 102)),
    "grass": ("Grass, as JPEG", "real/grass.png", Box(192, 192, 128, 128)),
    "clock": ("A clock, the camera moved", "real/clock_motion.png", Box(130, 60, 128, 128)),
    "cell": ("A cell in a phase image", "real/cell.png", Box(260, 250, 128, 128)),
    "retina": ("A retina, as JPEG", "real/retina.jpg", Box(300, 620, 128, 128)),
    "letters": ("Letters, nothing found", "real/text.png", Box(20, 20, 128, 128)),
    "camera": ("A photographer, nothing found", "real/camera.png", Box(180, 40, 128, 128)),
}
"""The same of photos that were never clean: no original is known."""


def write_gallery(photos: Path, docs: Path, scale: int = 4) -> Path:
    """Writes gallery.md and images/gallery-NAME.webp into `docs`.

    photos: holds those of DETAILS and the page of their credits, CREDITS.md.
    Raises: DataError for a photo or credits that are missing; as `compare` does.
    """
    shown = [name for family in FAMILIES if (name := str(ModelName(family, scale))) in models.names()]
    thanks = _credits(photos / "CREDITS.md", [source for _, source, _ in DETAILS.values()])
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


def write_real(photos: Path, docs: Path) -> Path:
    """Writes real.md and images/real-NAME.webp into `docs`; as `write_gallery` otherwise."""
    lines = [
        "# Real photos\n",
        "Made by `python -m zoo.gallery`. Photos as people have them, enlarged twice; no original is known. Beside the "
        "input and bicubic stand swift, which enlarges what it is given, the default, which looks first: what it found "
        "stands below, and restore-gan (`--detail 1`), which invents. No model has seen these photos in training.\n",
    ]
    for name, (title, source, detail) in REAL.items():
        file = f"images/real-{name}.webp"
        drawn = compare(_photo(photos / source), ["swift", "auto", "restore-gan"], crop=detail, title=title)
        write(docs / file, drawn, Encoding(quality=75))
        lines.append(f"## {title}\n\n![{title}: input, bicubic, swift, auto, restore-gan]({file})\n")
    thanks = _credits(photos / "CREDITS.md", [source for _, source, _ in REAL.values()])
    return write_page(docs / "real.md", "\n".join([*lines, "## Credits\n", thanks]) + "\n")


def _photo(path: Path) -> Image:
    if not path.is_file():
        raise DataError(f"no {path}; expected the photos of examples/")
    return read(path)


def _credits(path: Path, files: Iterable[str]) -> str:
    """The table of a page of credits, with the lines of the files that are shown."""
    shown = ("| file", "|--", *(f"| {file} " for file in files))
    try:
        return "\n".join(line for line in path.read_text("utf-8").splitlines() if line.startswith(shown))
    except OSError as error:
        raise DataError(f"cannot read the credits of the photos in {path}: {error.strerror}") from None


if __name__ == "__main__":
    print(write_gallery(Path("examples"), Path("docs")), write_real(Path("examples"), Path("docs")))

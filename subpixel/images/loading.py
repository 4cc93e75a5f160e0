"""Files that libvips decodes, opened as its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from subpixel.images import jpeg
from subpixel.images.contents import Contents
from subpixel.images.formats import FileFormat
from subpixel.images.samples import vips


def load(
    source: str | Path | bytes, file: BinaryIO, file_format: FileFormat, contents: Contents, mildly: bool = False
) -> Any:
    """Open through a libvips source: a file's name would have to be UTF-8, and be free of [brackets].

    Damage inside a JPEG or GIF is only a warning to its decoder, and so is a tile of a TIFF that is lost, and stays
    black; in other TIFF and in PNG, trifles are warnings too. A JPEG with a gain map (Ultra HDR) is opened by the plain
    loader. mildly: a JPEG's warnings are passed over.
    Raises: OSError, pyvips.Error.
    """
    pyvips = vips()
    whole = jpeg.repaired(file) if file_format.name == "JPEG" else None
    if whole:
        contents.notes.append("faults in its header were passed over")
    data = whole or source
    if isinstance(data, bytes):
        stream = pyvips.Source.new_from_memory(data)
    else:
        with open(data, "rb") as fresh:  # by descriptor: libvips takes no name that is not UTF-8
            stream = pyvips.Source.new_from_descriptor(fresh.fileno())
    if file_format.name == "JPEG":
        image = pyvips.Image.jpegload_source(stream, fail_on="error" if mildly else "warning")
        image._references.append(stream)  # as `new_from_source` does, or the bytes are freed
        return image
    strict = file_format.name == "GIF" or contents.is_tiled
    options: dict[str, Any] = {"fail_on": "warning" if strict else "error"}
    options |= {"page": contents.page} if contents.page else {}
    options |= {"n": -1, "access": "sequential"} if contents.frames > 1 else {}
    return pyvips.Image.new_from_source(stream, "", **options)

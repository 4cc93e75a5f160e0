"""Files that are more than a photo: pixels with places in the world. Their endings, and the extras that read them.

GeoTIFF has no line here: it ends as any TIFF does, and its tags say what it is.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A format of science or medicine."""

    name: str
    suffixes: tuple[str, ...]
    extra: str
    module: str
    """What reads it."""
    result: str = ""
    """The ending of a result where it is not that of the source."""


KINDS = (
    Kind("FITS", (".fits", ".fit", ".fts", ".fits.gz"), "astro", "astropy"),
    Kind("DICOM", (".dcm", ".dicom"), "medical", "pydicom"),
    Kind("NIfTI", (".nii", ".nii.gz"), "medical", "nibabel"),
    Kind("OME-TIFF", (".ome.tif", ".ome.tiff"), "micro", "tifffile"),
    Kind("OME-Zarr", (".ome.zarr", ".zarr"), "micro", "zarr"),
    Kind("slide", (".svs", ".ndpi", ".scn"), "micro", "tiffslide", ".ome.tif"),
)
ENDINGS = {suffix: kind for kind in KINDS for suffix in kind.suffixes}
"""Each ending with its kind."""
MISSING = {suffix: kind.extra for suffix, kind in ENDINGS.items() if not importlib.util.find_spec(kind.module)}
"""The endings of those that cannot be read here, and the extra that brings what reads them."""
_LAST = {f".{suffix.rpartition('.')[2]}" for suffix in ENDINGS if suffix.count(".") > 1}


def split_ending(name: str) -> tuple[str, str]:
    """A name as its stem and its ending, which may have two parts: brain.nii.gz is brain and .nii.gz."""
    stem, dot, last = name.rpartition(".")
    if not stem or "/" in last:
        return name, ""
    ending = dot + last
    if ending.lower() in _LAST:
        inner, dot, first = stem.rpartition(".")
        if inner and dot + first.lower() + ending.lower() in ENDINGS:
            return inner, dot + first + ending
    return stem, ending


def is_folder(name: str) -> bool:
    """Whether a folder of this name is one image: a Zarr, or one of the groups in it."""
    return any(part.endswith(".zarr") for part in name.lower().split("/"))

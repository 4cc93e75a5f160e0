"""How training data lies on disk: photos alone, HR beside LR, or DIV2K's own folders.

HR lies in a folder HR or NAME_HR, LR in LR, LR_x2, NAME_LR or NAME_LR_bicubic/X2. The files have the same names,
or those of LR end in the scale as in DIV2K: 0001.png, 0001x2.png. Where there is no LR, every image is HR.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from subpixel.datasets.files import ImageFile, Size, find_images
from subpixel.errors import DataError

Part = Literal["train", "valid"]

_HIGH = re.compile("(?:(.+)_)?HR", re.IGNORECASE)
_LOW = re.compile(r"(?:(.+)_)?LR(?:_(?:bicubic|unknown))?(?:_?x(\d+))?", re.IGNORECASE)
_SCALE = re.compile(r"x(\d+)", re.IGNORECASE)
_HELD_OUT = re.compile("valid|test", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """The images of a folder, by what they are for."""

    folder: Path
    high: tuple[ImageFile, ...]
    low: dict[int, tuple[ImageFile, ...]]
    """LR images by scale; 0: where the name of their folder does not tell it."""

    def lows(self, scale: int) -> tuple[ImageFile, ...]:
        """The LR images of a scale; none where there is no LR at all.

        Raises: DataError if there is LR, but of other scales.
        """
        if not self.low:
            return ()
        for key in (scale, 0):
            if key in self.low:
                return self.low[key]
        scales = ", ".join(f"x{key}" for key in sorted(self.low))
        reason = f"has low resolution for {scales}, not for x{scale}"
        raise DataError(f"{self.folder} {reason}; name its HR folder alone to have it made")


@dataclass(frozen=True)
class _Role:
    """What the folders of an image tell about it."""

    file: ImageFile
    set: str
    """What the data set is called: DIV2K_train of DIV2K_train_HR/0001.png."""
    scale: int | None
    """None: HR; 0: LR of an unknown scale."""
    key: PurePosixPath
    """The place without ending and without the folders that tell HR, LR or the scale."""


def find_layout(folder: Path, part: Part = "train") -> Layout:
    """What lies in a folder or zip archive.

    part: where names tell images for validation from the rest (DIV2K_valid_HR, DIV2K_train_HR), which of the two.
    Raises: DataError for no images, or none that are HR.
    """
    roles = [_role(file) for file in find_images(folder)]
    roles = [r for r in roles if bool(_HELD_OUT.search(r.set)) == (part == "valid")] or roles
    low: dict[int, list[ImageFile]] = defaultdict(list)
    for role in roles:
        if role.scale is not None:
            low[role.scale].append(role.file)
    high = tuple(role.file for role in roles if role.scale is None)
    if not high:
        raise DataError(f"{folder} holds low resolution alone; put the HR images beside it, in a folder HR")
    return Layout(folder, high, {scale: tuple(files) for scale, files in low.items()})


def match_pairs(
    highs: Iterable[ImageFile], lows: Iterable[ImageFile]
) -> tuple[list[tuple[ImageFile, ImageFile]], list[tuple[ImageFile, str]]]:
    """The pairs of HR and LR in the order of HR, and each image that has no partner of its own, with the reason."""
    by_key: dict[PurePosixPath, ImageFile] = {}
    unmatched: list[tuple[ImageFile, str]] = []
    for role in map(_role, highs):
        if role.key in by_key:
            unmatched.append((role.file, f"its name is also that of {by_key[role.key].name}"))
        by_key.setdefault(role.key, role.file)
    partners: dict[PurePosixPath, ImageFile] = {}
    for role in map(_role, lows):
        keys = (role.key, role.key.with_name(re.sub(rf"x{role.scale}$", "", role.key.name) or "x"))
        key = next((key for key in keys if key in by_key), None)
        if key is None:
            unmatched.append((role.file, "there is no HR image of that name"))
        elif key in partners:
            unmatched.append((role.file, f"{partners[key].name} is already the LR image of that name"))
        else:
            partners[key] = role.file
    unmatched += [(file, "there is no LR image of that name") for key, file in by_key.items() if key not in partners]
    return [(file, partners[key]) for key, file in by_key.items() if key in partners], unmatched


def size_mismatch(low: Size, high: Size, scale: int) -> str:
    """What is wrong with the size of LR, in one phrase that ends with "1/scale"; empty if nothing is.

    Sides of HR that are no multiple of the scale may have been cut or rounded up.
    """
    if min(high) >= scale and all(
        small in (large // scale, -(-large // scale)) for small, large in zip(low, high, strict=True)
    ):
        return ""
    actual, expected = f"{low[1]}x{low[0]}", f"{high[1] // scale}x{high[0] // scale}"
    return f"{actual} pixels; expected {expected}, 1/{scale}"


def _role(file: ImageFile) -> _Role:
    *folders, _ = file.place.parts
    stem = file.place.stem
    for k, folder in enumerate(folders):
        high, low = _HIGH.fullmatch(folder), _LOW.fullmatch(folder)
        match = high or low
        if match is None:
            continue
        name, rest = "/".join([*folders[:k], match[1] or ""]), folders[k + 1 :]
        if high:
            return _Role(file, name, None, PurePosixPath(name, *rest, stem))
        scale = low and low[2]
        if not scale and rest and (stated := _SCALE.fullmatch(rest[0])):
            scale, rest = stated[1], rest[1:]
        return _Role(file, name, int(scale or 0), PurePosixPath(name, *rest, stem))
    return _Role(file, "", None, PurePosixPath(*folders, stem))

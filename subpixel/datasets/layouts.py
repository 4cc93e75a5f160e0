"""How training data lies on disk: photos alone, HR beside LR, or the folders of the field's data sets.

HR lies in a folder HR, GT, GTmod12, HQ, high, trainH or NAME_HR, LR in LR, LQ, low, trainL, LR_x2, LRbicx2 or
NAME_LR_bicubic/X2. The files have the same names, or those of LR end in the scale as in DIV2K: 0001.png, 0001x2.png.
HR and LR may lie in one folder as NAME_HR.png and NAME_LR.png. Where there is no LR, every image is HR.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path, PurePosixPath
from typing import Literal

from subpixel.datasets.files import ImageFile, Size, find_images
from subpixel.errors import DataError

Part = Literal["train", "valid"]

_SETS = r"(?:(?P<name>.+)[_-])?"
_SIZE = r"(?:[_-]?res(?:olution)?)?"
_PARTS = r"(?P<part>train|valid|val|test)"
_HIGH = re.compile(rf"{_SETS}(?:HR|GT|HQ|high{_SIZE})(?:mod\d+)?(?:[_-]sub)?|{_PARTS}H", re.IGNORECASE)
_MADE = r"(?:bic|[_-](?:bicubic|unknown|mild|difficult|wild))?(?:[_-]sub)?"
_LOW = re.compile(rf"{_SETS}(?:LR|LQ|low{_SIZE}){_MADE}(?:[_-]?x(?P<scale>\d+))?|{_PARTS}L", re.IGNORECASE)
_WORDS = {"high", "low"}
"""Of roles only where both are there: as names they are too common."""
_SCALE = re.compile(r"x(\d+)(?:_sub)?", re.IGNORECASE)
_STEM = re.compile("(?P<stem>.+)_(?P<role>HR|LR|GT|LQ)", re.IGNORECASE)
_HELD_OUT = re.compile(r"(?:^|[\W\d_])(?:valid|validation|val|test|testing)(?:$|[\W\d_])", re.IGNORECASE)
_TRAIN = re.compile("train|training", re.IGNORECASE)


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

    part: where names tell images for validation from the rest (DIV2K_valid_HR and DIV2K_train_HR, val/ and train/),
    which of the two.
    Raises: DataError for no images, none that are HR, or two of one name of which one looks like LR of the other.
    """
    roles = _roles(find_images(folder))
    roles = [r for r in roles if bool(_HELD_OUT.search(r.set)) == (part == "valid")] or roles
    low: dict[int, list[ImageFile]] = defaultdict(list)
    for role in roles:
        if role.scale is not None:
            low[role.scale].append(role.file)
    high = tuple(role.file for role in roles if role.scale is None)
    if not high:
        raise DataError(f"{folder} holds low resolution alone; put the HR images beside it, in a folder HR")
    _refuse_unnamed_pairs(high)
    return Layout(folder, high, {scale: tuple(files) for scale, files in low.items()})


def _refuse_unnamed_pairs(high: Iterable[ImageFile]) -> None:
    """Raises: DataError if one of two images of a name is a whole number of times as large as the other."""
    by_stem: dict[str, list[ImageFile]] = defaultdict(list)
    for file in high:
        by_stem[re.sub(r"_?x\d+$", "", file.place.stem.lower())].append(file)
    for files in (files for files in by_stem.values() if len(files) > 1):
        sizes = {file: file.size() for file in files if file.is_readable}
        for small, large in permutations(sizes, 2):
            scale = round(sizes[large][0] / sizes[small][0])
            if scale > 1 and not size_mismatch(sizes[small], sizes[large], scale):
                raise DataError(
                    f"{small.name} looks like low resolution of {large.name}, but both would be HR;"
                    f" call their folders LR_x{scale} and HR, or name the HR folder alone"
                )


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


def _roles(files: Sequence[ImageFile]) -> list[_Role]:
    names = {folder.lower() for file in files for folder in file.place.parts[:-1]}
    ignored = frozenset() if names >= _WORDS else frozenset(_WORDS)
    divided = any(_TRAIN.fullmatch(name) for name in names)
    return [_role(file, ignored, divided) for file in files]


def _role(file: ImageFile, ignored: Set[str] = frozenset(), divided: bool = False) -> _Role:
    """ignored: names of folders that tell nothing here. divided: photos alone are of the set of their folders."""
    *folders, _ = file.place.parts
    named = _STEM.fullmatch(file.place.stem)
    stem = named["stem"] if named else file.place.stem
    for k, folder in reversed(list(enumerate(folders))):
        high, low = _HIGH.fullmatch(folder), _LOW.fullmatch(folder)
        match = high or low
        if match is None or folder.lower() in ignored:
            continue
        name, rest = "/".join([*folders[:k], match["name"] or match["part"] or ""]), folders[k + 1 :]
        if high:
            return _Role(file, name, None, PurePosixPath(name, *rest, stem))
        scale = low and low["scale"]
        if not scale and rest and (stated := _SCALE.fullmatch(rest[0])):
            scale, rest = stated[1], rest[1:]
        return _Role(file, name, int(scale or 0), PurePosixPath(name, *rest, stem))
    is_low = named is not None and named["role"].upper() in ("LR", "LQ")
    return _Role(file, "/".join(folders) if divided else "", 0 if is_low else None, PurePosixPath(*folders, stem))

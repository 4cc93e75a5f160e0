"""How results are called, and where they lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property

from subpixel.images import split_ending, suffix_of_result
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs import stores
from subpixel.jobs.walk import Folder

_PART = r"\+[0-9]+\+[0-9]+\+[0-9]+x[0-9]+"
_SIZE = rf"(?:x[0-9.]+|[0-9]+x[0-9]*)(?:{_PART})?"
"""What `suffix` puts into names."""


def suffix(upscaler: Upscaler) -> str:
    """What the name of a result says of its size, and of its part of the image: x2, x2.7, 1920x1080, x2+8+0+64x64."""
    size, window = upscaler.target.size, upscaler.window
    text = size.strip().lower() if size else f"x{upscaler.factor:g}"
    return f"{text}+{window.x}+{window.y}+{window.width}x{window.height}" if window else text


def real_path(path: str) -> str:
    """Without symbolic links; a URL as it is."""
    return path.rstrip("/") if stores.is_url(path) else os.path.realpath(path)


@dataclass(frozen=True)
class Naming:
    """How targets are called."""

    below: str | None
    suffix: str
    ending: str | None

    @property
    def output(self) -> str | None:
        """The folder of the results without symbolic links; None: beside each image."""
        return None if self.below is None else real_path(self.below)

    def folder(self, folder: Folder) -> str:
        """Where the results of a folder lie."""
        return folder.path if self.below is None else os.path.join(self.below, folder.place)

    def name(self, source: str) -> str:
        """What the result of an image is called."""
        stem, ending = split_ending(source)
        return stem + self._tag + (self.ending or suffix_of_result(ending))

    def keeps(self, folder: Folder) -> bool:
        """Whether all results of a folder are called as their images are."""
        return not self._tag and all((self.ending or suffix_of_result(own)) == own for own in folder.suffixes)

    def rivals(self, name: str, target: str, folder: Folder) -> list[str]:
        """Other images of a folder whose results would have the same name."""
        if len(folder.suffixes) == 1:
            return []
        others = folder.namesakes(split_ending(name)[0])
        return sorted(other for other in others if other != name and self.name(other) == target)

    def is_result(self, name: str, folder: Folder) -> bool:
        """Whether it is called as the result of another image beside it."""
        tagged = self.below is None and self._tagged.fullmatch(split_ending(name)[0])
        return bool(tagged and folder.namesakes(tagged[1]))

    @cached_property
    def _tag(self) -> str:
        """What tells a result from its image beside it; and anywhere, for there may be more, a part from others."""
        return f"_{self.suffix}" if self.below is None or re.search(f"{_PART}$", self.suffix) else ""

    @cached_property
    def _tagged(self) -> re.Pattern[str]:
        return re.compile(rf"(.+)_(?:{_SIZE}|{re.escape(self.suffix)})", re.DOTALL)

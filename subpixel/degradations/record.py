"""How one picture was degraded, on a page from which it can be done again, bit by bit."""

from __future__ import annotations

import json
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from subpixel import resample
from subpixel.degradations.degradation import Degradation
from subpixel.degradations.page import from_dict, to_dict
from subpixel.errors import BadRequest, RecipeError
from subpixel.image import Image, dequantise, quantise


@dataclass(frozen=True)
class Record:
    """A degradation without chance: every parameter fixed, and where its random numbers start."""

    degradation: Degradation
    seed: int
    scale: int = 1
    """Pictures are first cut to a multiple of this, so that high and low resolution agree."""

    def apply(self, image: Image) -> Image:
        """The degraded picture, rounded to 8 bit; alpha is resized along, metadata stays.

        Raises: BadRequest for a picture smaller than the scale.
        """
        height, width = (n // self.scale * self.scale for n in (image.height, image.width))
        if 0 in (height, width):
            raise BadRequest(f"{image.width}x{image.height} pixels; expected at least {self.scale} a side")
        low = self.degradation.apply(image.pixels[:height, :width], np.random.default_rng(self.seed))
        low = dequantise(quantise(low, 8))
        alpha = image.alpha
        if alpha is not None:
            small = resample.resize(quantise(alpha[:height, :width, None], 8), *low.shape[:2])
            alpha = dequantise(small)[..., 0]
        return Image(low, alpha, replace(image.meta, depth=8))

    def page(self) -> dict[str, Any]:
        """The inverse of `read_record`, as values for JSON."""
        return {"scale": self.scale, "seed": self.seed, "degradation": to_dict(self.degradation)}


def sampled(degradation: Degradation, scale: int, seed: int, name: str) -> Record:
    """The record of a picture: it depends on the seed and the picture's name, not on what else is degraded."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return Record(degradation.sample(rng), int(rng.integers(2**53)), scale)


def read_degradation(path: Path) -> Degradation:
    """The degradation on a page of TOML or JSON: its table `degradation`, or the page itself.

    Raises: RecipeError naming the file and the path of the wrong key.
    """
    page = _page(path)
    try:
        return from_dict(page["degradation"]) if isinstance(page.get("degradation"), dict) else from_dict(page)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def read_record(path: Path) -> Record:
    """A record that was written before. Raises: RecipeError naming the file and what is wrong with it."""
    page = _page(path)
    numbers = page.get("seed"), page.get("scale")
    if not all(type(n) is int and n >= least for n, least in zip(numbers, (0, 1), strict=True)):
        raise RecipeError(f"{path}: seed and scale are {numbers[0]!r} and {numbers[1]!r}; expected whole numbers")
    return Record(read_degradation(path), *numbers)


def _page(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text("utf-8")
        page = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from None
    if not isinstance(page, dict):
        raise RecipeError(f"{path}: expected a table")
    return page

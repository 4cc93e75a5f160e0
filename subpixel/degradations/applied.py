"""How one image was degraded, as a record from which it can be done again, bit by bit."""

from __future__ import annotations

import json
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from subpixel import atomic, resample
from subpixel.degradations.degradation import Degradation
from subpixel.degradations.serialization import from_dict, to_dict
from subpixel.errors import BadRequest, RecipeError, UnwritableImage, unread, unwritten
from subpixel.images import Image, create, dequantise, quantise, read


@dataclass(frozen=True)
class AppliedDegradation:
    """A degradation without chance: every parameter fixed, and where its random numbers start."""

    degradation: Degradation
    seed: int
    scale: int = 1
    """Images are first cut to a multiple of this, so that high and low resolution agree."""

    def apply(self, image: Image) -> Image:
        """The degraded image, rounded to 8 bit; alpha is resized along, metadata stays.

        Raises: BadRequest for an image smaller than the scale.
        """
        height, width = (n // self.scale * self.scale for n in (image.height, image.width))
        if 0 in (height, width):
            raise BadRequest(f"{image.width}x{image.height} pixels; expected at least {self.scale} a side")
        low = self.degradation.apply(image.pixels[:height, :width], np.random.default_rng(self.seed))
        low = dequantise(quantise(low, 8))
        alpha = image.alpha
        if alpha is not None:
            levels = resample.resize(quantise(alpha[:height, :width, None], 8), *low.shape[:2])
            alpha = dequantise(levels)[..., 0]
        return Image(low, alpha, replace(image.metadata, depth=8))

    def to_dict(self) -> dict[str, Any]:
        """What `read_applied` reads, as values for JSON."""
        return {"scale": self.scale, "seed": self.seed, "degradation": to_dict(self.degradation)}


def degrade(source: Path, target: Path, applied: AppliedDegradation) -> Image:
    """Degrades a file into another, and writes NAME.degradation.json beside it, for `read_applied`.

    Raises: UnreadableImage, UnwritableImage; BadRequest naming the image that is too small.
    """
    image = read(source)
    try:
        low = applied.apply(image)
    except BadRequest as error:
        raise BadRequest(f"{source}: {error}") from None
    record = target.with_suffix(".degradation.json")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(record, json.dumps({"source": source.name, **applied.to_dict()}, indent=2) + "\n")
    except OSError as error:
        raise UnwritableImage(record, unwritten(error)) from error
    try:
        with create(target, low.shape, low.metadata, like=source) as writer:  # last: an image that is there is done
            writer.write(low.samples)
    except UnwritableImage:
        record.unlink(missing_ok=True)
        raise
    return low


def sampled(degradation: Degradation, scale: int, seed: int, name: str) -> AppliedDegradation:
    """The record of an image: it depends on the seed and the image's name, not on what else is degraded."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return AppliedDegradation(degradation.sample(rng), int(rng.integers(2**53)), scale)


def read_degradation(path: Path) -> Degradation:
    """The degradation in a file of TOML or JSON: its table `degradation`, or the whole file.

    Raises: RecipeError naming the file and the path of the wrong key.
    """
    table = _read_table(path)
    try:
        return from_dict(table["degradation"]) if isinstance(table.get("degradation"), dict) else from_dict(table)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def read_applied(path: Path) -> AppliedDegradation:
    """A record that was written before. Raises: RecipeError naming the file and what is wrong with it."""
    table = _read_table(path)
    degradation = read_degradation(path)
    return AppliedDegradation(degradation, _integer(path, table, "seed", 0), _integer(path, table, "scale", 1))


def _integer(path: Path, table: Mapping[str, Any], key: str, least: int) -> int:
    value = table.get(key)
    if type(value) is not int or value < least:
        raise RecipeError(f"{path}: {key}: {value!r}; expected a whole number from {least}")
    return value


def _read_table(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text("utf-8")
        table = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except UnicodeDecodeError:
        raise RecipeError(f"cannot read {path}: it is no text; expected a TOML or JSON page") from None
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {unread(error)}") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from None
    if not isinstance(table, dict):
        raise RecipeError(f"{path}: expected a table")
    return table

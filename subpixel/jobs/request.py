"""Everything that a user can ask of an enlargement, as one value: what every front end builds, and JSON carries."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from subpixel.errors import BadRequest, first_problem
from subpixel.images import Encoding
from subpixel.inference.choice import AUTO, BLIND, CLEAN, DEBLURRED, DEGRADED, DETAILED, Restoration
from subpixel.inference.consistency import parse
from subpixel.inference.target import Target
from subpixel.inference.upscaler import Upscaler, checked_bands, checked_tile
from subpixel.inference.window import Window
from subpixel.models.naming import matching_models
from subpixel.models.store import FOLDER, names
from subpixel.ports import ModelName
from subpixel.runtimes import Execution


def _content(model: str) -> str:
    """A digest of a model's files, those of the families in the package or that of a path; kernels have none."""
    digest = hashlib.blake2b(digest_size=16)
    for path in [Path(model)] if model.endswith(".onnx") else _shipped(model):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _shipped(model: str) -> list[Path]:
    wanted = (CLEAN, DEBLURRED, DEGRADED, BLIND, DETAILED) if model == AUTO else (model,)
    wanted_names = [name for each in wanted for name in matching_models(each, names())]
    families = sorted({name.family for text in wanted_names if (name := ModelName.parse(text))})
    return [FOLDER / f"{name}.onnx" for name in wanted_names] + [FOLDER / f"{name}.weights" for name in families]


class Request(BaseModel):
    """What to do with images: the model, the size, how it is run and how the result is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")

    model: str = AUTO
    """auto, a model, a family, a kernel, or the path of an .onnx file."""
    scale: float | None = None
    """Any factor; None: the model's own, or `size`."""
    size: str | None = None
    """1920x1080, 4096x or x1080, in place of a factor."""
    fit: bool = False
    """Keep the aspect and lie inside `size`."""
    restoration: Restoration = Restoration()
    """How much is undone of what is wrong with an image."""
    tile: Literal["auto"] | int = Field(default="auto", union_mode="left_to_right")
    """The side of a tile in pixels of the input; 0: the whole image at once; else 16 or more."""
    tta: bool = False
    """The mean over 8 flips and turns."""
    consistent: str = "auto"
    """What the result, reduced so, is the image again: auto, none, box, bicubic or sigma=PIXELS."""
    bands: tuple[int, ...] = ()
    """Those of a GeoTIFF that are taken, counted from 1; none: all."""
    window: str | None = None
    """X,Y,WIDTHxHEIGHT: the part of an image with coordinates that is enlarged, in its pixels; None: all."""
    execution: Execution = Execution()
    encoding: Encoding = Encoding()

    @classmethod
    def parse(cls, given: str | bytes | dict[str, Any]) -> Self:
        """A request from JSON or plain values. Raises: BadRequest naming the key that is wrong."""
        try:
            text = isinstance(given, str | bytes)
            request = cls.model_validate_json(given) if text else cls.model_validate(given)
        except ValidationError as error:
            raise BadRequest(first_problem(error)) from None
        Target(request.scale, request.size, request.fit)
        checked_tile(request.tile)
        checked_bands(request.bands)
        parse(request.consistent)
        if request.window is not None:
            Window.parse(request.window)
        return request

    @property
    def identity(self) -> str:
        """What the pixels of a result depend on, the content of the model's files among it."""
        asked = self.model_dump_json(exclude={"tile": True, "execution": {"runtime", "threads", "device"}})
        return f"{asked} {_content(self.model)}"

    def upscaler(self, video: bool = False) -> Upscaler:
        """What does it; raises as `Upscaler` does, which says what `video` is."""
        return Upscaler(
            self.model,
            scale=self.scale,
            size=self.size,
            fit=self.fit,
            restoration=self.restoration,
            tile=self.tile,
            tta=self.tta,
            consistent=self.consistent,
            bands=self.bands,
            window=Window.parse(self.window) if self.window is not None else None,
            execution=self.execution,
            video=video,
        )

"""A recipe: everything that decides a training run, in one TOML file that is checked strictly. Imports no torch."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from subpixel import archs
from subpixel.degradations import from_dict
from subpixel.errors import RecipeError, UnknownName, first_problem, unread
from subpixel.losses import Kind
from subpixel.models.card import FileName, Line, Number

FOLDER = Path(__file__).parents[1] / "recipes"
SCALE = "{scale}"
"""Stands for each trained scale in `init`."""


Preset = Literal["bicubic", "camera", "compressed", "mixed", "noisy", "old-photo", "real-world", "web"]
Decay = Annotated[float, Field(ge=0, lt=1)]
Step = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Data(_Strict):
    """What the network sees."""

    patch: int = Field(default=48, ge=8)
    """Low-resolution pixels of a crop's side."""
    batch: int = Field(default=16, ge=1)
    """Crops in a step (of each process)."""
    scales: tuple[int, ...] = Field(default=(), strict=False)
    """The scales of a network that has several, one at random each step; empty: the configuration's."""
    degradation: Preset | dict[str, Any] = "bicubic"
    """What makes the low resolution: the benchmarks' bicubic, a preset, or a table with a `kind`."""
    frames: int = Field(default=1, ge=1, le=32)
    """Above 1: frames of a clip, for a network that carries what it keeps of one to the next; a camera moves over the
    images, and their luma is what it sees."""
    label_noise: float = Field(default=0.0, ge=0, lt=1)
    """How far off, as a share of itself, what a conditioned network is told of the degradation may be."""
    label_dropout: float = Field(default=0.0, ge=0, le=1)
    """How often it is told nothing of one kind of degradation."""
    label_missed: float = Field(default=0.0, ge=0, le=1)
    """How often it is told that there is none of one kind, where there may be."""


class Loss(_Strict):
    """What is minimised: the sum of the terms, each times its weight here."""

    l1: float = Field(default=0.0, ge=0)
    l2: float = Field(default=0.0, ge=0)
    charbonnier: float = Field(default=0.0, ge=0)
    psnr: float = Field(default=0.0, ge=0)
    """Of each crop, in units of 10 dB."""
    luma_psnr: float = Field(default=0.0, ge=0)
    """Of each crop's luma, which the benchmarks measure."""
    low_pass: float = Field(default=0.0, ge=0)
    """Of the means of 8x8 pixels: keeps the colours of an adversarial training."""
    lattice: float = Field(default=0.0, ge=0)
    """Of what repeats every 4 pixels: keeps the lattice of sub-pixel layers out of an adversarial training."""
    total_variation: float = Field(default=0.0, ge=0)
    content: float = Field(default=0.0, ge=0)
    """Of VGG19's features; `subpixel train --vgg` names the file of its weights."""
    layer: str = "5_4"
    """`content` only: the convolution whose output is compared (its block, its place there)."""
    perceptual: float = Field(default=0.0, ge=0)
    """LPIPS; `subpixel train --lpips` names the file of its weights."""
    adversarial: float = Field(default=0.0, ge=0)
    """Above 0 a discriminator is trained too; see [gan]."""
    output: str = ""
    """Of a network with several outputs the one that is compared: an image with the high resolution, a vector with the
    labels of the degradation. By default the first."""
    custom: dict[str, Number] = {}
    """Functions of output and target by "module:function", each with its weight."""


class Gan(_Strict):
    """The discriminator of an adversarial training."""

    kind: Kind = "nonsaturating"
    discriminator: Literal["vgg", "unet"] = "vgg"
    """SRGAN's, one verdict a crop; or Real-ESRGAN's, one a pixel, which takes crops of any scale."""
    features: int = Field(default=64, ge=1)
    """Channels of its first convolution."""
    dense: int = Field(default=1024, ge=1)
    """`vgg` only: units of its first dense layer."""
    lr: float = Field(default=1e-4, gt=0)
    """Learning rate; it follows the generator's schedule."""


class Optim(_Strict):
    """How the weights move."""

    name: Literal["adam", "adamw", "soap"] = "adam"
    lr: float = Field(default=1e-3, gt=0)
    """Learning rate after the warm-up."""
    betas: tuple[Decay, Decay] = Field(default=(0.9, 0.999), strict=False)
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=0.0, ge=0)
    """Largest norm of the gradient; 0: no clipping."""


class Schedule(_Strict):
    """The learning rate over the steps."""

    kind: Literal["cosine", "steps", "constant"] = "cosine"
    warmup: int = Field(default=0, ge=0)
    """Steps over which the rate rises from 0."""
    milestones: tuple[Step, ...] = Field(default=(), strict=False)
    """`steps` only: where the rate is multiplied by `gamma`."""
    gamma: float = Field(default=0.5, gt=0)
    floor: float = Field(default=1e-3, ge=0, le=1)
    """`cosine` only: the last rate as a fraction of the first."""


class Recipe(_Strict):
    """One training run."""

    name: FileName
    """The model's name, for instance swift-x2."""
    subject: Line = ""
    """What most of the training images show, where it is of one kind, such as text."""
    arch: str
    """A file of subpixel/archs, or "module:Class" of your own."""
    config: dict[str, Any] = {}
    """Fields of the architecture's Config."""
    steps: int = Field(ge=1)
    seed: int = Field(default=0, ge=0, lt=2**63)
    init: str = ""
    """Whose fitting weights are the start: a model of the package, a model file, or a run's last.safetensors.

    "carn-x{scale}" names the models of all scales that are trained.
    """
    data: Data = Data()
    optim: Optim = Optim()
    schedule: Schedule = Schedule()
    loss: Loss = Loss(l1=1.0)
    gan: Gan = Gan()
    ema: Decay = 0.0
    """Decay of the averaged weights that are validated and shipped; 0: no averaging."""
    validate_every: int = Field(default=1000, ge=1)
    """Steps between two validations and checkpoints."""

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales that are trained."""
        return self.data.scales or (int(self.config.get("scale", 2)),)

    @property
    def custom(self) -> tuple[tuple[str, str], ...]:
        """What it names by import path, each with the key that does."""
        named = (("arch", self.arch), *(("loss.custom", name) for name in self.loss.custom))
        return tuple((key, name) for key, name in named if ":" in name)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of every value; a key at its default does not change them."""
        text = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def names() -> list[str]:
    """The recipes in the package, such as swift-x2 and papers/edsr-base-x2."""
    return sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.toml"))


def load(name_or_path: str | Path, changes: dict[str, Any] | None = None) -> Recipe:
    """Reads a recipe of the package or a file, and applies changes such as {"optim.lr": 2e-4}.

    Raises: UnknownName with the closest recipe; RecipeError naming the file, or --set, and the path of the wrong key.
    """
    path = _locate(name_or_path)
    table = _read(path)
    for key, value in (changes or {}).items():
        _set(table, key, value)
    try:
        recipe = Recipe.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        location = [str(part) for part in first["loc"]]
        hint = _suggestion(location) if first["type"] == "extra_forbidden" else ""
        changed = any(".".join(location).startswith(key) for key in changes or {})
        raise RecipeError(f"{'--set' if changed else path}: {first_problem(error)}{hint}") from None
    if not any(recipe.loss.model_dump(exclude={"layer", "output"}).values()):
        raise RecipeError(f"{path}: loss: every weight is 0; expected at least one term, such as l1 = 1.0")
    if ":" not in recipe.arch and recipe.arch not in archs.NAMES:
        raise UnknownName("architecture", recipe.arch, archs.NAMES)
    if isinstance(recipe.data.degradation, dict):
        from_dict(recipe.data.degradation, f"{path}: data.degradation")
    for key, name in recipe.custom:
        _import(f"{path}: {key}", name.partition(":")[0])
    return recipe


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    inside = FOLDER / f"{name_or_path}.toml"
    if not inside.is_file():
        raise UnknownName("recipe", str(name_or_path), names())
    return inside


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise RecipeError(f"cannot read the recipe {path}: it is no file")
        return tomllib.loads(path.read_text("utf-8"))
    except RecursionError:
        raise RecipeError(f"cannot read the recipe {path}: its tables or lists nest too deeply") from None
    except UnicodeDecodeError:
        raise RecipeError(f"cannot read the recipe {path}: it is no text; expected TOML") from None
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {path}: {unread(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from None


def _import(where: str, module: str) -> None:
    """Imports what a recipe names, from the current folder too: a recipe is the user's own, as its modules are.

    Raises: RecipeError.
    """
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # what a module raises while it is imported
        raise RecipeError(f"{where}: cannot import {module!r}: {type(error).__name__}: {error}") from error


def _suggestion(location: list[str]) -> str:
    """The key that was probably meant."""
    model: Any = Recipe
    for section in location[:-1]:
        model = model.model_fields[section].annotation
    close = difflib.get_close_matches(location[-1], model.model_fields, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(model.model_fields)}"


def _set(table: dict[str, Any], key: str, value: Any) -> None:
    """Sets a dotted key such as optim.lr. Raises: RecipeError where a part of it is no table."""
    *sections, last = key.split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise RecipeError(f"{key}: {section} is one value; expected a section")
    table[last] = value

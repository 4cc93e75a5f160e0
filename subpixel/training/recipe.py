"""A recipe: everything that decides a training run, on one strict page of TOML."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from subpixel.errors import RecipeError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Data(_Strict):
    """What the network sees."""

    patch: int = Field(48, ge=8)
    """Low-resolution pixels of a crop's side."""
    batch: int = Field(16, ge=1)
    """Crops in a step."""


class Optim(_Strict):
    """How the weights move."""

    name: Literal["adam", "adamw"] = "adam"
    lr: float = Field(1e-3, gt=0)
    """Learning rate after the warm-up."""
    betas: tuple[float, float] = Field((0.9, 0.999), strict=False)
    weight_decay: float = Field(0.0, ge=0)
    clip: float = Field(0.0, ge=0)
    """Largest norm of the gradient; 0: no clipping."""


class Schedule(_Strict):
    """The learning rate over the steps."""

    kind: Literal["cosine", "steps", "constant"] = "cosine"
    warmup: int = Field(0, ge=0)
    """Steps over which the rate rises from 0."""
    milestones: tuple[int, ...] = Field((), strict=False)
    """`steps` only: where the rate is multiplied by `gamma`."""
    gamma: float = Field(0.5, gt=0)
    floor: float = Field(1e-3, ge=0, le=1)
    """`cosine` only: the last rate as a fraction of the first."""


class Recipe(_Strict):
    """One training run."""

    name: str
    """The model's name, for instance swift-x2."""
    arch: str
    """A file of subpixel/archs."""
    config: dict[str, Any] = {}
    """Fields of the architecture's Config."""
    steps: int = Field(ge=1)
    seed: int = 0
    init: str = ""
    """Whose fitting weights are the start: a model of the package, a model file, or a run's last.safetensors."""
    data: Data = Data()  # pyright: ignore[reportCallIssue]
    optim: Optim = Optim()  # pyright: ignore[reportCallIssue]
    schedule: Schedule = Schedule()  # pyright: ignore[reportCallIssue]
    loss: Literal["l1", "l2"] = "l1"
    """Mean absolute or mean squared error; l2 at the end of a training is what PSNR measures."""
    ema: float = Field(0.0, ge=0, lt=1)
    """Decay of the averaged weights that are validated and shipped; 0: no averaging."""
    validate_every: int = Field(1000, ge=1)
    """Steps between two validations and checkpoints."""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name everything on the page."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def load(path: Path, changes: dict[str, Any] | None = None) -> Recipe:
    """Reads a recipe and applies changes such as {"optim.lr": 2e-4}.

    Raises: RecipeError naming the file and the path of the wrong key.
    """
    try:
        page = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from None
    for key, value in (changes or {}).items():
        _set(page, key, value)
    try:
        return Recipe.model_validate(page)
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _set(page: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        page = page.setdefault(section, {})
    page[last] = value

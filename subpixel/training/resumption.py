"""Whether a checkpoint may be gone on from: what may change between two parts of a run, and what may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from subpixel.errors import DataError
from subpixel.training.recipe import Recipe

_FREE = ("name", "init", "steps", "validate_every", "optim.lr", "optim.betas", "optim.weight_decay", "optim.clip")
"""Keys of a recipe that another part of a run may have otherwise; so may those of [schedule], and gan.lr."""


def origin(recipe: Recipe, folders: Mapping[str, str]) -> dict[str, str]:
    """What a checkpoint notes of its run. folders: the digest of the images of each folder, by the option's name."""
    return {"recipe": recipe.model_dump_json(), **{f"images.{name}": digest for name, digest in folders.items()}}


def changes(path: Path, noted: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What is other than it was, a phrase each: a key of the recipe with both values, or the images of a folder.

    noted, now: the `origin` in the checkpoint and that of this run.
    Raises: DataError naming the keys that a run cannot go on with.
    """
    try:
        before, after = (_values(origin["recipe"]) for origin in (noted, now))
    except (KeyError, ValueError):
        raise DataError(f"{path} does not say which recipe it is of; take another run folder") from None
    changed = [key for key in before | after if before.get(key) != after.get(key)]
    barred = [key for key in changed if not (key in _FREE or key.startswith("schedule.") or key == "gan.lr")]
    phrases = {key: f"{key} was {before.get(key)!r} and is {after.get(key)!r}" for key in changed}
    if barred:
        which = "; ".join(phrases[key] for key in barred)
        raise DataError(f"{path} belongs to another recipe: {which}; take another run folder, or init from it")
    folders = [key for key in now if key.startswith("images.") and noted.get(key, now[key]) != now[key]]
    return [*phrases.values(), *(f"the images of --{key.removeprefix('images.')} have changed" for key in folders)]


def _values(recipe: str) -> dict[str, Any]:
    """Every key of a recipe; what was not yet known when it was noted has its default."""
    return dict(_flat(Recipe.model_validate_json(recipe).model_dump(mode="json")))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value

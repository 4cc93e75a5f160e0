"""What the modules that a recipe names do wrong, in one line of where. Imports no torch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from subpixel.errors import RecipeError, SubpixelError, place_in
from subpixel.training.recipe import Recipe

_EVERYWHERE = ("subpixel.", "torch.")
"""Their functions can be a loss too, but run in every training: what comes out of them need not be the recipe's."""


@contextmanager
def as_recipe_errors(recipe: Recipe) -> Generator[None]:
    """Runs what calls a recipe's custom network and losses. Raises: RecipeError for what they raise."""
    try:
        yield
    except SubpixelError:
        raise
    except Exception as error:  # whatever somebody's code raises
        custom = [name for _, name in recipe.custom if not name.replace(":", ".").startswith(_EVERYWHERE)]
        place = place_in(error, custom)
        if not place:
            raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise RecipeError(
            f"the recipe's custom code raised {why}{place}; mend it, and give the same command"
        ) from error

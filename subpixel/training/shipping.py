"""Model files out of a training: those that a run ends with, and of any checkpoint before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from subpixel import models
from subpixel.errors import BadRequest, BadWeights, DataError, RecipeError, SubpixelError, first_problem, place_in
from subpixel.models import Score, weights
from subpixel.models.graph import one_line
from subpixel.nn.arch import Arch
from subpixel.ports import ModelName
from subpixel.training import checkpoint
from subpixel.training.initialization import InitialWeights, build_network
from subpixel.training.outputs import output_scales
from subpixel.training.recipe import Recipe


def rehearse(network: Arch, recipe: Recipe) -> None:
    """Makes the models of an untrained network and forgets them: it takes seconds, and a training takes days.

    Raises: RecipeError for a network that cannot become a model.
    """
    output_scales(network, recipe.scales)
    try:
        with TemporaryDirectory() as folder:
            save_models(network, recipe, checkpoint.TrainState(), Path(folder))
    except BadRequest:  # a full disk
        raise
    except Exception as error:  # what a class of the user's own raises, or the exporter of its graph
        source = error.__cause__ or error  # the exporter only sums up what was raised
        why = f"{_why(source)}{place_in(source, [recipe.arch])}"
        raise RecipeError(f"arch: {recipe.arch} cannot become a model: {why}; mend it before it is trained") from error


def _why(error: BaseException) -> str:
    if isinstance(error, BadWeights):
        return error.why
    if isinstance(error, ValidationError):
        return first_problem(error)
    return one_line(f"{type(error).__name__}: {error}")


def save_models(
    network: Arch,
    recipe: Recipe,
    state: checkpoint.TrainState,
    folder: Path,
    scores: Callable[[Arch], tuple[Score, ...]] = lambda _: (),
    data: str = "",
    stem: str = "",
) -> list[models.Model]:
    """One model file for each scale of which the loss saw an output.

    scores: what the card says of the network at a scale. data: the digest of the training images. stem: of the files'
    names; by default the recipe's name.
    """
    scales, saved = output_scales(network, recipe.scales), list[models.Model]()
    for scale in scales:
        view = network.at_scale(scale)
        name = recipe.name if len(scales) == 1 else str(ModelName(recipe.name, scale))
        file = (stem or recipe.name) if len(scales) == 1 else str(ModelName(stem or recipe.name, scale))
        model = weights.save(
            view,
            folder / f"{file}.onnx",
            name=name,
            recipe=recipe.digest,
            steps=state.initial_steps + state.step,
            hours=state.hours,
            data=data,
            subject=recipe.subject,
            scores=scores(view),
        )
        saved.append(model)
    return saved


def ship(path: Path) -> list[models.Model]:
    """The models of a checkpoint, written beside it under its name.

    Raises: DataError for a file that is no checkpoint of a training.
    """
    recipe, state = _recipe_of(path), checkpoint.read_state(path)
    start = recipe.model_copy(update={"init": str(path)})
    network = build_network(start, InitialWeights.from_run(path), "cpu")
    return save_models(network.eval(), recipe, state, path.parent, stem=path.stem)


def _recipe_of(path: Path) -> Recipe:
    text = checkpoint.read_origin(path).get("recipe", "")
    try:
        return Recipe.model_validate_json(text)
    except (ValueError, SubpixelError):
        raise DataError(f"{path} does not say which recipe it is of; expected a checkpoint of a training run") from None

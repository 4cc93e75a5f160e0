"""The mean of the weights that a run began and ended with, after a short stage often better than either.

    python zoo/average.py runs/edsr-base-x2-first/edsr-base-x2-first.onnx runs/edsr-base-x2/edsr-base-x2.onnx MEAN.onnx
    python zoo/average.py START.onnx END.onnx MEAN.onnx 0.35      35 % of the way from the one to the other

The two lie in one valley, and the noise of their last steps cancels in part (Wortsman et al. 2022, arXiv:2109.01903).
The card is that of the second file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from subpixel import models
from subpixel.errors import BadWeights
from subpixel.models import weights
from subpixel.models.store import Model


def average(start: Model, end: Model, target: Path, share: float = 0.5) -> Model:
    """Writes the model whose weights lie so far of the way from those of one model to those of another.

    Raises: BadWeights if they are of different networks; OSError if the file cannot be written.
    """
    before, network, card = weights.network(start), weights.network(end), end.card
    if (start.card.arch, before.config) != (card.arch, network.config):
        raise BadWeights(end.path, f"it is another network than {start.path}")
    old = before.state_dict()
    network.load_state_dict({name: old[name].lerp(value, share) for name, value in network.state_dict().items()})
    return weights.save(
        network, target, name=card.name, recipe=card.recipe, steps=card.steps, hours=card.hours, data=card.data
    )


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: python zoo/average.py START.onnx END.onnx MEAN.onnx [SHARE]")
    average(models.load(sys.argv[1]), models.load(sys.argv[2]), Path(sys.argv[3]), *map(float, sys.argv[4:]))

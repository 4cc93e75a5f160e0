"""Writes the graph that carries what a recurrent network keeps along the motion; it has no weights.

python -m zoo.alignment
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import subpixel.video
from subpixel import atomic
from subpixel.archs.recurrent import Config, Recurrent
from subpixel.models import weights
from subpixel.models.card import Card
from subpixel.models.store import load, with_card
from subpixel.nn.motion import REACH

FOLDER = Path(subpixel.video.__file__).parent


def write(config: Config, folder: Path = FOLDER) -> Path:
    """The alignment of networks of this configuration as a model file; whole frames go through it."""
    alignment, path = Recurrent(config).alignment.eval(), folder / f"alignment-x{config.scale}.onnx"
    card = Card(
        name=path.stem,
        arch="alignment",
        config=asdict(config),
        scale=config.scale,
        ports=alignment.ports,
        halo=REACH,
        parameters=0,
        macs=0.0,
        widest=weights.widest(alignment, alignment.ports),
        licence=weights.LICENCE,
        paper="Lucas and Kanade 1981, on a pyramid (1981)",
    )
    atomic.write_bytes(path, with_card(weights.traced(alignment, alignment.ports), card))
    load(path)  # verifies
    return path


if __name__ == "__main__":
    written = write(Config(scale=2))
    print(written, written.stat().st_size)

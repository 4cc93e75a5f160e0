"""TensorBoard's events (needs the `tensorboard` extra)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from subpixel.training.recorder import Progress


@contextmanager
def event_writer(folder: Path) -> Generator[Callable[[Progress], None]]:
    """A function that writes the loss and the scores of each validation into the folder."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:

        def write(progress: Progress) -> None:
            for name, value in {"loss": progress.loss, **progress.scores}.items() if progress.scores else ():
                writer.add_scalar(name, value, progress.step)

        yield write

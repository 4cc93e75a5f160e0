"""What docs/architecture.md says that `subpixel upscale photo.jpg` calls, in that order, is what it calls."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import numpy as np

import subpixel
from subpixel.images.image import Image, write

PACKAGE = Path(subpixel.__file__).parent
STEPS = [
    *("cli.upscale.command", "training.model_files.model_file", "jobs.request.Request.upscaler"),
    *("jobs.discovery.find_jobs", "jobs.resumption.unfinished"),
    *("jobs.batch.upscale_batch", "jobs.pool.run", "atomic.claimed"),
    *("domains.file.upscale_file", "inference.file.upscale_file", "images.reader.open_any"),
    *("inference.upscaler.Upscaler.plan", "analysis.inspection.inspect_rows", "inference.upscaler.Upscaler.prepare"),
    *("inference.choice.choose", "inference.target.chain", "inference.plan.tile_of", "runtimes.open_runtime"),
    "images.writer.create",
    *("inference.plan.Plan.rows", "inference.tiled.TiledNetwork.__init__"),
    *("images.contents.missing", "atomic.commit", "jobs.resumption.record"),
]
"""What the page names that is called for every image."""


def test_the_page_names_these_steps_in_this_order() -> None:
    page = (PACKAGE.parent / "docs/architecture.md").read_text("utf-8")
    way = page.partition("## The way of an image")[2].partition("\n## ")[0]
    behind = 0
    for name in (step.removesuffix(".__init__").rpartition(".")[2] for step in STEPS):
        place = re.compile(rf"[`.]{name}\b").search(way, behind)
        assert place, f"{name} is not in the page, or not behind those before it"
        behind = place.end()


def test_an_enlargement_takes_these_steps_in_this_order(
    call: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    write(tmp_path / "photo.jpg", Image.from_array(levels))
    called = list[str]()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(f"{PACKAGE}/"):
            module = ".".join(Path(code.co_filename).relative_to(PACKAGE).with_suffix("").parts)
            called.append(f"{module.removesuffix('.__init__')}.{code.co_qualname}")

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        status, _, errors = call("upscale", tmp_path / "photo.jpg")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    assert status == 0, errors
    assert [step for step in dict.fromkeys(called) if step in STEPS] == STEPS

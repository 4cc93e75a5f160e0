"""Files of every odd kind: each is enlarged or refused in one line, and nothing is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from odd_files import attempt, outcomes

FOLDER = os.environ.get("SUBPIXEL_ODD_FILES", "")


@pytest.mark.skipif(not FOLDER, reason="SUBPIXEL_ODD_FILES names no folder, such as Tests/images of Pillow's source")
def test_every_odd_file_is_made_or_refused() -> None:
    bad = [outcome for outcome in outcomes(Path(FOLDER)) if outcome.kind not in ("made", "refused")]
    assert bad == []


def test_what_came_of_a_file_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PIL.Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / "a.png")
    page = PIL.Image.fromarray(np.zeros((8, 9), np.uint8))
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page])
    (tmp_path / "text.png").write_text("no image")
    made, pages, text = (attempt(tmp_path / name) for name in ("a.png", "pages.tif", "text.png"))
    assert (made.kind, made.why, made.pillow, made.is_ours_alone) == ("made", "", "PNG RGB 1", False)
    assert (pages.kind, pages.pillow, pages.is_ours_alone) == ("refused", "TIFF L 2", True)
    assert (text.kind, text.pillow, text.is_ours_alone) == ("refused", "", False)

    def leaves(source: Path, target: Path, _: object) -> None:
        target.with_name("part").write_text("left behind")
        raise RuntimeError("a bug")

    monkeypatch.setattr("subpixel.domains.upscale_file", leaves)
    assert attempt(tmp_path / "a.png").kind == "leftovers"
    monkeypatch.setattr("subpixel.domains.upscale_file", lambda *_: 1 / 0)
    assert (attempt(tmp_path / "a.png").kind, attempt(tmp_path / "a.png").why[:17]) == (
        "traceback",
        "ZeroDivisionError",
    )

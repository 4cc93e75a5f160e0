"""The pages of the reference that follow from the code: command line, recipes, architectures, Python modules."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from subpixel import archs
from subpixel.images.formats import FILE_FORMATS
from subpixel.metrics.protocol import STANDARD, Protocol
from subpixel.training.recipe import Recipe

MODULES = {
    "Images": (
        "images.image", "images.reader", "images.writer", "images.formats", "images.metadata", "color", "resample",
    ),
    "Looking": ("analysis.inspection", "analysis.report"),
    "Enlarging": (
        "inference.upscaler", "inference.choice", "inference.consistency", "inference.target", "inference.plan",
        "inference.window", "ports", "domains.file", "domains.planes",
        "domains.frames", "domains.values", "inference.comparison",
        "inference.tiles", "jobs.request", "jobs.job", "jobs.shard", "jobs.discovery", "jobs.resumption", "jobs.pool",
        "jobs.batch", "jobs.batches", "jobs.blocks", "runtimes",
    ),
    "Video": ("video.request", "video.upscaling"),
    "Bursts": ("burst.fusion", "burst.evidence", "burst.motion", "burst.registration", "burst.files"),
    "Models": ("models.card", "models.store", "models.weights"),
    "Measuring": (
        "metrics.protocol", "metrics.psnr", "metrics.ssim", "metrics.lpips", "metrics.niqe", "evaluation.evaluate",
        "evaluation.report", "benchmarks.domains", "benchmarks.quality", "benchmarks.real",
    ),
    "Degradations": (
        "degradations.degradation", "degradations.blur", "degradations.noise", "degradations.codecs",
        "degradations.resizing", "degradations.distributions", "degradations.presets", "degradations.condition",
        "degradations.serialization",
    ),
    "Training": (
        "training.run", "training.loop", "training.gan", "datasets.sources", "datasets.check", "losses.pixel",
        "losses.content", "losses.adversarial",
    ),
    "Networks": ("nn.arch", "nn.halo", "nn.upsampling", "nn.luma", "nn.collapsible"),
    "Elsewhere": ("compat.opencv", "export.export", "imports.import_model"),
    "Errors": ("errors",),
}  # fmt: skip
"""The chapters of the Python reference and the modules in each."""

_RECIPES = """# Recipes

Everything that decides a training run, on one strict page of TOML: an unknown key is an error. The folder
`subpixel/recipes/` has one for each network; `subpixel train --set KEY=VALUE` changes a key for one run.
"""
_FORMATS = """# Formats

What is read and written. A format with an extra is read after `pip install 'subpixel[EXTRA]'`; in a folder its files
are passed over without it. [What is kept of an image](../explanation/kept.md) says the rest.
"""
_PROTOCOLS = """# Protocols

How a result and its reference are prepared before a metric sees them. Every report states it.
"""
_ARCHITECTURES = """# Architectures

The names are those that a recipe's `arch` takes, the fields those of its `[config]`.
"""


def write(folder: Path) -> None:
    """Writes every generated page; one that is as it was keeps its time, so that it is not built again."""
    pages = {"cli.md": cli(), "recipes.md": recipes(), "architectures.md": architectures(), "protocols.md": protocols()}
    pages["formats.md"] = formats()
    pages |= {f"python-{title.lower()}.rst": modules(title, names) for title, names in MODULES.items()}
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        page = folder / name
        if not page.is_file() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def copy_notebooks(examples: Path, folder: Path) -> None:
    """Copies the notebooks below the pages; their links lead to the pages from where they lie then."""
    folder.mkdir(exist_ok=True)
    for notebook in sorted(examples.glob("*.ipynb")):
        text, page = notebook.read_text("utf-8").replace("](../docs/", "](../../"), folder / notebook.name
        if not page.is_file() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def formats() -> str:
    """The table of formats."""
    head = ("format", "endings", "read by", "extra", "written", "bits", "transparency", "animation", "longest side")
    lines = [head, ("---",) * len(head)]
    for kind in FILE_FORMATS.values():
        bits = ", ".join("float" if depth == 32 else str(depth) for depth in kind.depths)
        limits = (bits, *("yes" if has else "no" for has in (kind.alpha, kind.animated)), f"{kind.max_side:,}")
        endings = " ".join(f"`{suffix}`" for suffix in kind.suffixes)
        written = ("yes", *limits) if kind.save else ("no", "", "", "", "")
        lines.append((kind.name, endings, kind.decoder, kind.extra and f"`{kind.extra}`", *written))
    return _FORMATS + "\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def cli() -> str:
    """Every command with its options, as typer describes it."""
    command = [sys.executable, "-m", "typer", "subpixel.cli", "utils", "docs", "--name", "subpixel"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    text = text.replace("# `subpixel`", "# Command line", 1)
    return re.sub(
        r"\[bold\]Examples\[/bold\]\s*(.*?)\s*(?=\n#|\Z)", r"**Examples**:\n\n```text\n\1\n```\n", text, flags=re.S
    )


def recipes() -> str:
    """Every key of a recipe with its type, default and meaning."""
    tables: dict[str, Any] = {n: f.annotation for n, f in Recipe.model_fields.items() if _is_model(f.annotation)}
    sections = [_keys(f"[{name}]", model) for name, model in tables.items()]
    return "\n".join([_RECIPES, _keys("The page itself", Recipe, skip=tables), *sections])


def architectures() -> str:
    """Every architecture with its paper and the fields of its configuration."""
    return _ARCHITECTURES + "".join(map(_architecture, archs.NAMES))


def protocols() -> str:
    """The protocols that have a name on the command line, and the fields of any other."""
    named = f"| `y` | {STANDARD} |\n| `rgb` | {Protocol(luma=False)} |\n"
    return f"{_PROTOCOLS}\n| `--protocol` | what is compared |\n|---|---|\n{named}\n## Protocol\n\n{_fields(Protocol)}"


def modules(title: str, names: tuple[str, ...]) -> str:
    """A page of autodoc directives."""
    parts = [f"{title}\n{'=' * len(title)}\n"]
    for name in names:
        full = f"subpixel.{name}"
        parts.append(f"{full}\n{'-' * len(full)}\n\n.. automodule:: {full}\n")
    return "\n".join(parts)


def escaped(lines: list[str]) -> list[str]:
    """A docstring of plain text, `code` and indented or drawn blocks as reStructuredText: nothing else is markup."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    return [*"\n\n".join(map(_paragraph, paragraphs)).split("\n"), ""]


def _paragraph(text: str) -> str:
    if text.startswith("    ") or "\u251c" in text:  # code, or the tree of the errors
        return "::\n\n" + textwrap.indent(textwrap.dedent(text), "    ")
    parts = re.split(r"(`[^`\n]+`)", text)
    parts[::2] = [re.sub(r"([*|\\]|_\b)", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def _architecture(name: str) -> str:
    cls = archs.find(name)
    paper = cls.paper
    link = f", [arXiv:{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv})" if paper.arxiv else ""
    count = sum(p.numel() for p in archs.create(name, {}).parameters())
    head = f"\n## {name}\n\n{_paragraphs(cls)}\n\n{paper.title} ({paper.year}{link}). Scales: "
    return (
        head
        + f"{', '.join(map(str, cls.SCALES))}. Parameters with the defaults: {count:,}.\n\n{_fields(type(cls.EXAMPLE))}"
    )


def _fields(cls: Any) -> str:
    meanings = _meanings(cls)
    return _table(
        [
            f"| `{f.name}` | `{_short(f.type)}` | `{f.default!r}` | {meanings.get(f.name, '')} |"
            for f in dataclasses.fields(cls)
        ]
    )


def _keys(title: str, model: type[BaseModel], skip: Any = ()) -> str:
    meanings = _meanings(model)
    rows = [
        f"| `{name}` | `{_short(field.annotation)}` | {_default(field)} | {meanings.get(name, '')} |"
        for name, field in model.model_fields.items()
        if name not in skip
    ]
    return f"## {title}\n\n{_paragraphs(model)}\n\n" + _table(rows)


def _table(rows: list[str]) -> str:
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"`{value!r}`".replace("'", '"')


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _short(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return " or ".join(map(_short, get_args(annotation)))
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in get_args(annotation))
    return annotation if isinstance(annotation, str) else str(annotation) if origin else annotation.__name__


def _paragraphs(cls: type) -> str:
    return inspect.cleandoc(cls.__doc__ or "")


def _meanings(cls: type) -> dict[str, str]:
    """The docstrings below the fields of a class."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    return dict(_described(tree.body))


def _described(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            yield field.target.id, " ".join(str(ast.literal_eval(after.value)).split()).replace("|", "\\|")

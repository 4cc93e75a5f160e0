"""What the documentation says exists: commands and their options, recipes, pages of TOML, Python names, scripts."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from subpixel.cli import app
from subpixel.degradations import from_dict
from subpixel.training import recipe

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if p.parent.name != "generated"),
]
ENDS = {"|", "<", ">", ">>", "&&", ";", "&"}  # where a shell ends a command's arguments


def written(language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language ("" for none), with the page they are on."""
    return [
        (str(page.relative_to(ROOT)), found[2])
        for page in PAGES
        for found in re.finditer(r"^```(.*)\n([\s\S]*?)^```$", page.read_text("utf-8"), re.M)
        if found[1] == language
    ]


def lines(program: str) -> list[str]:
    """The command lines that call a program."""
    blocks = "".join(block for _, block in written(""))
    return [line for line in blocks.replace("\\\n", "").splitlines() if re.search(rf"(^|-m ){program}\b", line)]


def arguments(line: str) -> list[str]:
    """What the shell hands to `subpixel`."""
    words = shlex.split(re.sub(r"^.*-m (?=subpixel)", "", line), comments=True)
    ends = [k for k, word in enumerate(words) if word in ENDS]
    return words[1 : ends[0] if ends else None]


def command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that is meant and what is left for it."""
    found: Any = typer.main.get_command(app)
    while words and words[0] in getattr(found, "commands", {}):
        found, words = found.commands[words[0]], words[1:]
    return found, words


@pytest.mark.parametrize("line", lines("subpixel"))
def test_a_command_line_is_understood(line: str) -> None:
    words = arguments(line)
    found, rest = command(words)
    assert not hasattr(found, "commands"), f"no such command: {line}"
    context = found.make_context(words[0], rest)
    if words[0] == "train":
        assert recipe.load(context.params["recipe"], _changes(context.params["change"])).steps > 0


@pytest.mark.parametrize("line", ["subpixel upscale a.jpg --scales 2", "subpixel upscale", "subpixel eval x --data"])
def test_a_wrong_command_line_is_not(line: str) -> None:
    found, rest = command(arguments(line))
    with pytest.raises(Exception, match=r"No such option|Missing|requires"):
        found.make_context("subpixel", rest)


def test_a_command_named_in_the_text_exists() -> None:
    named = {m[1] for p in PAGES for m in re.finditer(r"`subpixel ((?:[a-z]+ ?)+)[^`]*`", p.read_text("utf-8"))}
    assert len(named) > 5
    for words in named:
        found, rest = command(words.split())
        assert not rest or not hasattr(found, "commands"), words


def test_an_option_named_in_the_text_exists() -> None:
    known = {
        option
        for found in _all(typer.main.get_command(app))
        for p in found.params
        for option in (*p.opts, *p.secondary_opts)
    }
    for page in PAGES:
        for option in re.findall(r"`(--[a-z-]+)[^`]*`", page.read_text("utf-8")):
            assert option in known, f"{page.name}: {option}"


@pytest.mark.parametrize(("page", "block"), written("toml"))
def test_a_page_of_toml_is_valid(page: str, block: str) -> None:
    values = tomllib.loads(block)
    if "kind" in values:
        from_dict(values)
    else:
        recipe.Recipe.model_validate(values)


@pytest.mark.parametrize(("page", "block"), written("python"))
def test_python_imports_and_names_exist(page: str, block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("subpixel"):
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "subpixel":
            assert hasattr(importlib.import_module("subpixel"), node.attr)


def test_files_that_are_named_exist() -> None:
    pattern = re.compile(r"\b(?:recipes|examples|subpixel|tests|docs|zoo)/[\w/.-]+\.(?:toml|py|jpg|ipynb|md|csv)\b")
    made = {"subpixel/archs/plain.py"}  # by the reader
    for page in PAGES:
        for name in set(pattern.findall(page.read_text("utf-8"))) - made:
            assert (ROOT / name).is_file(), f"{page.name}: {name}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert "generated/" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_generated_pages_say_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    generate: Any = importlib.import_module("generate")
    commands: Any = vars(typer.main.get_command(app))["commands"]
    cli = generate.cli()
    assert all(f"## `subpixel {name}`" in cli for name in commands)
    assert "[bold]" not in cli
    assert "| `patch` | `int` | `48` | Low-resolution pixels of a crop's side. |" in generate.recipes()
    assert '| `name` | `"adam" or "adamw" or "soap"` | `"adam"` |' in generate.recipes()
    assert "Parameters with the defaults: 57,281." in generate.architectures()  # SRCNN 9-5-5: 57,184 and 97 biases
    assert generate.escaped(["s*patch of `a*b`,", "x_ | y", "", "    c * d"]) == [
        r"s\*patch of `a*b`,", r"x\_ \| y", "", "::", "", "    c * d", "",
    ]  # fmt: skip


def test_the_architecture_of_the_how_to_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    (block,) = (block for page, block in written("python") if page.endswith("own-architecture.md"))
    (tmp_path / "plain_arch.py").write_text(block, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    plain = importlib.import_module("plain_arch").Plain
    network = plain(plain.EXAMPLE).eval()
    x = torch.rand(1, 3, 21, 21)
    poked = x.clone()
    poked[..., 10, 10] += 1
    changed = (network(x) != network(poked)).any(1)[0].nonzero() // 2
    assert (changed.min().item(), changed.max().item()) == (10 - network.halo, 10 + network.halo)


def _changes(pairs: list[str] | None) -> dict[str, Any]:
    from subpixel.cli.train import _change  # pyright: ignore[reportPrivateUsage]

    return dict(_change(pair) for pair in pairs or [])


def _all(found: Any) -> Iterator[Any]:
    yield found
    for inner in getattr(found, "commands", {}).values():
        yield from _all(inner)

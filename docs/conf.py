"""Sphinx: what the documentation is built with. The generated pages are written anew by every build."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import generate

import subpixel

project = "subpixel"
release = version = subpixel.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
default_role = "code"
myst_enable_extensions = ["colon_fence", "dollarmath"]
nb_execution_mode = "off"  # what is saved in them is shown
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "exclude-members": "model_config, __new__"}
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90

html_theme = "furo"
html_title = "subpixel"
html_show_copyright = False


def _plain(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Our docstrings are plain text with code in backticks."""
    lines[:] = generate.escaped(lines)


def setup(app: Any) -> None:
    docs = Path(__file__).parent
    generate.write(docs / "generated")
    generate.copy_notebooks(docs.parent / "examples", docs / "generated" / "notebooks")
    app.connect("autodoc-process-docstring", _plain)

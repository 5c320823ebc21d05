"""Configuration of Sphinx; builds without a network and without a window."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

# Imported here because autodoc imports as a type checker does, and then once more: to
# pydantic, models that were made twice are strangers.
import napari_mesmerize.cli.commands  # noqa: F401

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "napari-mesmerize"
author = "The napari-mesmerize developers"
copyright = author
version = release = installed_version("napari-mesmerize")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.napoleon",
    "generated_reference",
]
exclude_patterns = ["_build", "_ext", "examples/README.md"]
root_doc = "index"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3

extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}

# The docstrings name the types; signatures with annotations would say them twice.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = "napari-mesmerize"
html_show_sourcelink = False
pygments_style = "friendly"

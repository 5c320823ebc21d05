"""All commands of ``napari-mesmerize``."""

from napari_mesmerize.cli import convert, engines, look, run
from napari_mesmerize.cli.app import app

__all__ = ["app", "convert", "engines", "look", "run"]

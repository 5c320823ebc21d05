"""All commands of ``napari-mesmerize``."""

from napari_mesmerize.cli import look, work
from napari_mesmerize.cli.app import app

__all__ = ["app", "look", "work"]

"""All commands of ``napari-mesmerize``."""

from napari_mesmerize.cli import frames, look, work
from napari_mesmerize.cli.app import app

__all__ = ["app", "frames", "look", "work"]

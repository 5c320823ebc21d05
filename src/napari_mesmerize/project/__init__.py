"""Projects: a folder of open formats, opened as an object."""

from napari_mesmerize.project.backups import Backup
from napari_mesmerize.project.config import Config, CustomColumn
from napari_mesmerize.project.create import create_project, open_project
from napari_mesmerize.project.journal import Edit, Journal, apply_edits
from napari_mesmerize.project.locks import LockedError
from napari_mesmerize.project.project import Project
from napari_mesmerize.project.sample import Sample
from napari_mesmerize.project.write_sample import SampleContent

__all__ = [
    "Backup",
    "Config",
    "CustomColumn",
    "Edit",
    "Journal",
    "LockedError",
    "Project",
    "Sample",
    "SampleContent",
    "apply_edits",
    "create_project",
    "open_project",
]

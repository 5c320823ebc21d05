"""Create a project folder, and open one."""

import logging
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari_mesmerize.atomic import written_whole
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project import commit
from napari_mesmerize.project.config import FILE, Config
from napari_mesmerize.project.json_files import now, write_json, writing
from napari_mesmerize.project.project import Project

_log = logging.getLogger(__name__)
_FOLDERS = (
    "samples",
    "batch",
    "flowcharts",
    "plots",
    "transmissions",
    "exports",
    "backups",
    "journal",
)


def create_project(
    path: str | Path,
    *,
    name: str | None = None,
    roi_tags: Iterable[str] = (),
    stimulus_types: Iterable[str] = (),
    custom_columns: Any = None,
) -> Project:
    """Make a new project folder.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder; it must not exist, or be empty. Its parent must exist.
    name : str, optional
        The project's name; default the folder's.
    roi_tags : iterable of str, optional
        Tag columns that every ROI table has: ``anatomical_region``, ``cell_type``.
    stimulus_types : iterable of str, optional
        What epochs may be of: ``odour``, ``running``.
    custom_columns : mapping or sequence, optional
        Columns that every sample has a value of, by name:
        ``{"genotype": str, "age_days": {"dtype": "int", "default": 0}}``. Types are
        ``str``, ``int``, ``float`` and ``bool``.

    Returns
    -------
    Project
        The open project.

    Raises
    ------
    ProjectError
        If the folder holds something, or can not be written.
    ParameterError
        If a name or a column does not fit.

    Notes
    -----
    Use it once for a set of recordings that will be analysed together: one table spans
    one project. Tags, stimulus types and custom columns can be added later, but the
    type of a column cannot change. To go on with an existing folder use
    :func:`open_project`.

    Examples
    --------
    >>> from napari_mesmerize import create_project
    >>> project = create_project(
    ...     "my_project", roi_tags=["region"], custom_columns={"genotype": str}
    ... )
    >>> project.name, project.roi_tags, len(project)
    ('my_project', ('region',), 0)
    """
    path = Path(path).absolute()
    config = (
        Config(name=name or path.name, id=str(uuid.uuid4()), created=now())
        .with_roi_tags(roi_tags)
        .with_stimulus_types(stimulus_types)
        .with_custom_columns(custom_columns)
    )
    _refuse_existing(path)
    with (
        writing("The project", path),
        written_whole(path, overwrite=False, into_empty=True) as parts,
    ):
        parts.mkdir()
        for folder in _FOLDERS:
            (parts / folder).mkdir()
        write_json(parts / FILE, config.to_json())
    return Project(path)


def open_project(path: str | Path) -> Project:
    """Open a project folder; what a crash left half done is finished or cleared away.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder, or its ``mesmerize.json``.

    Returns
    -------
    Project
        The open project.

    Raises
    ------
    ProjectError
        If it is no project, is damaged, or was made by a newer version.

    Notes
    -----
    Use it as often as you like: several processes may have the same folder open. If an
    earlier session crashed, ``project.unsaved_edits()`` lists the samples whose edits
    ``project.recover()`` brings back.

    Examples
    --------
    >>> from napari_mesmerize import create_project, open_project
    >>> _ = create_project("my_project")
    >>> open_project("my_project").samples
    []
    """
    path = Path(path).absolute()
    if path.name == FILE:
        path = path.parent
    if not (path / FILE).exists():
        what = "does not exist" if not path.exists() else f"holds no {FILE}"
        raise ProjectError(
            f"{path} {what}; expected a project folder. Choose another folder, or make "
            "a new project with create_project(...)."
        )
    project = Project(path)
    _ = project.config  # raises if it is damaged or newer
    if not (path / "samples").is_dir():
        raise ProjectError(
            f"{path} has no folder 'samples'; expected one, even in an empty project. "
            "Copy it from another copy of the project, or make an empty one."
        )
    try:
        commit.recover(path)
    except OSError as error:  # read-only: readers cope with what is left
        _log.info("Leftovers in %s stay for now: %s", path, error)
    return project


def _refuse_existing(path: Path) -> None:
    if (path / FILE).exists():
        raise ProjectError(
            f"{path} is a project already; open it with open_project(...), or choose "
            "another folder."
        )
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ProjectError(
            f"{path} exists and is not empty; choose a new or an empty folder."
        )
    if not path.parent.is_dir():
        raise ProjectError(
            f"The folder {path.parent} does not exist; make it first, or choose "
            "another place."
        )

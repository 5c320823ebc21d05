"""Backups by time: what is replaced or removed moves to, or is copied into, a slot."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from napari_mesmerize.atomic import sync_folder, sync_tree
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project.json_files import read_json, write_json

FORMAT = "napari-mesmerize backup"
FORMAT_VERSION = 1
_HEADER = "backup.json"
_TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Backup:
    """What was kept when something in a project was replaced or removed.

    Attributes
    ----------
    path : pathlib.Path
        The kept file or folder.
    time : str
        When it was replaced, ISO 8601, UTC.
    what : str
        Its place in the project folder, such as ``samples/m1-_-t1/rois.parquet``.
    reason : str
        Why it was replaced.
    """

    path: Path
    time: str
    what: str
    reason: str


def new_slot(project: Path, what: str, reason: str) -> Path:
    """Make a slot in ``backups/`` and return where to put ``what`` in it.

    Parameters
    ----------
    project : pathlib.Path
        The project folder.
    what : str
        Path below the project folder, with forward slashes.
    reason : str
        Why it is kept.
    """
    folder = project / "backups"
    folder.mkdir(exist_ok=True)
    time = datetime.now(UTC)
    while True:
        slot = folder / time.strftime(_TIME)
        try:
            slot.mkdir()
            break
        except FileExistsError:  # another backup in the same microsecond
            time += timedelta(microseconds=1)
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "time": time.isoformat(),
        "what": what,
        "reason": reason,
    }
    write_json(slot / _HEADER, header)
    place = slot / what
    place.parent.mkdir(parents=True, exist_ok=True)
    sync_folder(folder)
    return place


def keep_copy(project: Path, file: Path, reason: str) -> None:
    """Keep a copy of one file, which is going to be replaced, in ``backups/``."""
    what = file.relative_to(project).as_posix()
    place = new_slot(project, what, reason)
    shutil.copy2(file, place)
    sync_tree(place)
    sync_folder(place.parent)


def drop_slot(project: Path, place: Path) -> None:
    """Remove a slot into which nothing was put."""
    folder = place.parent
    if place.exists():
        return
    while folder != project / "backups" and folder.is_dir():
        try:
            (folder / _HEADER).unlink(missing_ok=True)
            folder.rmdir()
        except OSError:  # not empty after all: it stays
            return
        folder = folder.parent


def list_backups(project: Path, what: str | None = None) -> list[Backup]:
    """Return the backups, newest first.

    Parameters
    ----------
    project : pathlib.Path
        The project folder.
    what : str, optional
        Only those of this place or below it, such as ``samples/m1-_-t1``.
    """
    found = []
    folder = project / "backups"
    slots = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    for slot in slots:
        try:
            header = read_json(slot / _HEADER, FORMAT, FORMAT_VERSION, str)
        except OSError:  # no backup of ours, or one that a crash left empty
            continue
        place = str(header.get("what", ""))
        inside = not what or place == what or place.startswith(f"{what}/")
        if inside and place and (slot / place).exists():
            found.append(
                Backup(slot / place, str(header["time"]), place, str(header["reason"]))
            )
    return found


def remedy(project: Path, file: Path) -> str:
    """Say what to do about a damaged file: which backup to restore, if there is one."""
    try:
        what = file.relative_to(project).as_posix()
    except ValueError:
        return ""
    parents = what.split("/")
    for backup in list_backups(project):
        if what == backup.what or backup.what == "/".join(parents[:2]):
            kept = backup.path.relative_to(project).as_posix()
            return (
                f"The newest backup that holds it is {kept} (of {backup.time}): "
                "restore it with project.restore(...), or copy it back by hand."
            )
    return (
        "There is no backup of it in backups/; take it from a copy of the project, or "
        "add the sample again with overwrite=True."
    )


def find_backup(project: Path, path: str | Path) -> Backup:
    """Return the backup that lies at ``path`` (absolute, or below the project).

    Raises
    ------
    ProjectError
        If there is none there.
    """
    wanted = (project / path).resolve()
    for backup in list_backups(project):
        if backup.path.resolve() == wanted:
            return backup
    raise ProjectError(
        f"{path} is no backup of the project {project}; project.backups() lists them."
    )

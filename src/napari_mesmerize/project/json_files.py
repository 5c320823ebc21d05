"""Files that are written whole or not at all, and errors that say what to do."""

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from napari_mesmerize.errors import ProjectError
from napari_mesmerize.history import json_safe

Remedy = Callable[[], str]
UPGRADE = "Upgrade: pip install -U napari-mesmerize."


def now() -> str:
    """Return the time as ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextlib.contextmanager
def writing(what: str, place: Path) -> Iterator[None]:
    """Turn an operating-system error into one that says what happened and what to do.

    Parameters
    ----------
    what : str
        What is being written, such as ``Sample m1-_-t1``.
    place : pathlib.Path
        Where.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, ProjectError):
            raise
        raise ProjectError(
            f"{what} was not written to {place}: {_reason(error)} What was there "
            "before is unchanged."
        ) from error


def _reason(error: OSError) -> str:
    if error.errno is None and isinstance(error.__cause__, OSError):
        error = error.__cause__
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"the disk is full or a quota is reached ({error.strerror}). Free space "
            "there, or move the project to a larger disk, and try again."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"the folder is read-only for you ({error.strerror}). Ask its owner for "
            "the right to write, or work on a copy of the project folder."
        )
    if error.errno in (errno.ENAMETOOLONG, errno.EINVAL):
        return (
            f"the file system refuses a name ({error}). Use shorter names, or move the "
            "project nearer to the top of the disk."
        )
    return f"{error}. See that the disk or share is there, and try again."


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some network shares refuse it
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_tree(folder: Path) -> None:
    """Make all files below a folder, and their names, survive a power cut."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb+") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, then put it there in one step.

    Whoever opens ``path`` meanwhile, or after a crash, finds the old or the new
    content.
    """
    parts = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with open(parts, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(parts, path)
    finally:
        parts.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all; NaN becomes null."""
    text = json.dumps(json_safe(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_file(path, lambda file: file.write((text + "\n").encode("utf-8")))


def read_json(path: Path, form: str, version: int, remedy: Remedy) -> dict[str, Any]:
    """Read a JSON file of one of our formats.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    form : str
        What its key ``format`` has to say.
    version : int
        The newest ``format_version`` that is understood.
    remedy : callable
        Says what to do if the file is damaged.

    Raises
    ------
    ProjectError
        If it is damaged, something else, or of a newer version.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ProjectError(
            f"{path} is damaged, no valid JSON: {error}. {remedy()}"
        ) from (error)
    if not isinstance(content, dict):
        raise ProjectError(
            f"{path} holds a {type(content).__name__}, expected an object. {remedy()}"
        )
    check_format(content, path, form, version, remedy)
    return content


def check_format(
    header: Mapping[str, Any], path: Path, form: str, version: int, remedy: Remedy
) -> None:
    """Raise unless ``header`` says this format and a version that we understand."""
    if header.get("format") != form:
        raise ProjectError(
            f"{path} says its format is {header.get('format')!r}, expected {form!r}. "
            f"{remedy()}"
        )
    found = header.get("format_version")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ProjectError(
            f"{path} has format_version {found!r}, expected a whole number. {remedy()}"
        )
    if found > version:
        raise ProjectError(
            f"{path} has format version {found}, written by a newer napari-mesmerize; "
            f"this one understands versions up to {version}. {UPGRADE}"
        )


def remove_tree(folder: Path) -> None:
    """Remove an unfinished temporary folder; what resists stays, hidden."""
    shutil.rmtree(folder, ignore_errors=True)

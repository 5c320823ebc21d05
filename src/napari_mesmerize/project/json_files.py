"""JSON files with a format and a version, and errors that say what to do."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from napari_mesmerize import atomic
from napari_mesmerize.atomic import explain, open_whole
from napari_mesmerize.errors import ProjectError

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
            f"{what} was not written to {place}: {explain(error)} What was there "
            "before is unchanged."
        ) from error


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file whole or not at all; it replaces what is there.

    Whoever opens ``path`` meanwhile, or after a crash, finds the old or the new
    content.
    """
    with open_whole(path, overwrite=True) as file:
        write(file)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all; NaN becomes null."""
    atomic.write_json(path, content, overwrite=True)


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

"""Files and folders that appear whole or not at all, and replace only when told."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from napari_mesmerize.errors import WriteError


@contextlib.contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what is there at the end gets its place.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder to write.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    WriteError
        If something is there already, or it can not be written; nothing stays half
        written, and what was there is as before.
    """
    if path.exists() and not overwrite:
        raise WriteError(f"{path} exists; choose another name or say overwrite=True.")
    if not path.parent.is_dir():
        raise WriteError(f"The folder {path.parent} does not exist; make it first.")
    parts = path.with_name(f".{uuid.uuid4().hex[:12]}.tmp{path.suffix}")
    try:
        yield parts
        _put(parts, path)
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(
            f"{path} was not written: {error}. Nothing was changed there; free space "
            "or choose a folder you may write to."
        ) from error
    finally:
        _remove(parts)


def _put(parts: Path, path: Path) -> None:
    if not path.is_dir():
        parts.replace(path)
        return
    aside = path.with_name(f".{uuid.uuid4().hex[:12]}.old")
    path.rename(aside)
    try:
        parts.rename(path)
    except OSError:
        aside.rename(path)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

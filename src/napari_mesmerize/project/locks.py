"""One writer at a time: lock files made exclusively, with host and process inside."""

import contextlib
import getpass
import json
import os
import platform
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import psutil

from napari_mesmerize.atomic import is_alive
from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project.json_files import now

_UNREADABLE_AFTER_S = 30.0
_POLL_S = 0.05


class LockedError(ProjectError):
    """Somebody else is writing the same thing now."""


@contextlib.contextmanager
def locked(path: Path, what: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file ``path`` for as long as the ``with`` block runs.

    A lock whose process died on this computer is taken over.

    Parameters
    ----------
    path : pathlib.Path
        The lock file; made here, removed at the end.
    what : str
        What is locked, for the message.
    wait_s : float, optional
        How long to wait for another writer.

    Raises
    ------
    LockedError
        If another process, here or on another computer, holds it.
    """
    token = uuid.uuid4().hex
    deadline = time.monotonic() + wait_s
    while not _create(path, token):
        holder = read_holder(path)
        if holder is None:  # released meanwhile
            continue
        if is_stale(holder):
            _break_stale(path, holder)
        elif time.monotonic() >= deadline:
            raise LockedError(_describe(path, what, holder))
        else:
            time.sleep(_POLL_S)
    try:
        yield
    finally:
        _release(path, token)


def read_holder(path: Path) -> dict[str, Any] | None:
    """Return who holds a lock file; None if nobody, no ``pid`` if that is unknown."""
    try:
        text, changed = path.read_text("utf-8"), path.stat().st_mtime
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text, changed = "", path.stat().st_mtime
    try:
        holder = json.loads(text)
    except json.JSONDecodeError:
        holder = None
    if not isinstance(holder, dict) or not isinstance(holder.get("pid"), int):
        return {"token": text, "age_s": time.time() - changed}
    return holder


def is_stale(holder: dict[str, Any]) -> bool:
    """Return whether the process that made a lock can be known to be dead."""
    if "pid" not in holder:
        return bool(holder["age_s"] > _UNREADABLE_AFTER_S)
    if holder.get("host") != platform.node():
        return False
    started = holder.get("process_started")
    return not is_alive(holder["pid"], None if started is None else float(started))


def _create(path: Path, token: str) -> bool:
    holder = {
        "format": "napari-mesmerize lock",
        "format_version": 1,
        "token": token,
        "host": platform.node(),
        "pid": os.getpid(),
        "process_started": psutil.Process().create_time(),
        "user": _user(),
        "since": now(),
    }
    content = json.dumps(holder).encode("utf-8")
    parts = path.with_name(f"{path.name}.{token[:8]}.tmp")
    try:
        parts.write_bytes(content)
        try:
            os.link(parts, path)  # exclusive, and never seen empty
        except FileExistsError:
            return False
        except (OSError, AttributeError):  # a file system without hard links
            return _create_in_place(path, content)
        return True
    finally:
        parts.unlink(missing_ok=True)


def _create_in_place(path: Path, content: bytes) -> bool:
    try:
        with open(path, "xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True


def _release(path: Path, token: str) -> None:
    with contextlib.suppress(OSError):  # what it protected is done; it will be stale
        holder = read_holder(path)
        if holder is not None and holder.get("token") == token:
            path.unlink(missing_ok=True)


def _break_stale(path: Path, seen: dict[str, Any]) -> None:
    """Remove a dead process's lock, but not one that a third process made meanwhile.

    Only processes of the dead one's computer come here, so that the operating system's
    own lock, which is sure on one computer only, is enough to let in one at a time.
    """
    with filelock.FileLock(path.with_name(".guard"), timeout=10):
        holder = read_holder(path)
        if holder is not None and holder.get("token") == seen.get("token"):
            path.unlink(missing_ok=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""


def _describe(path: Path, what: str, holder: dict[str, Any]) -> str:
    if "pid" not in holder:
        who = "another process"
    elif holder.get("host") == platform.node() and holder["pid"] == os.getpid():
        who = f"this program itself (since {holder.get('since')})"
    else:
        who = (
            f"process {holder['pid']} of {holder.get('user') or 'somebody'} on "
            f"{holder.get('host')} (since {holder.get('since')})"
        )
    return (
        f"{what} is being written by {who}. Wait until it is done and try again; if "
        f"that process is long dead, delete the file {path}."
    )

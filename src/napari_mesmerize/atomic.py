"""Files and folders that appear whole or not at all, and replace only when told.

Everything is written under a hidden name beside its place, flushed to disk, and put in
its place by a rename. Whoever looks, also after a crash or a power cut, finds the old
or the new. The hidden name says what it was to become, and which process writes it: the
next write to the same place removes what a killed process left, and nothing else.

What holds where:

- A file that replaces another does so in one step, on every system.
- A folder that replaces another does so in one step on Linux and macOS, where the file
  system can exchange two names. Elsewhere it takes two renames. Between them the new
  folder, complete, has the ending ``.new``, and :func:`settle` finishes the work.
- A file or folder that must not replace anything takes its name only if that is free,
  also if somebody took it a moment ago. Only a file system on Linux or macOS that has
  neither hard links nor a rename that refuses leaves a gap of microseconds.
"""

import contextlib
import ctypes
import errno
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from napari_mesmerize.errors import MesmerizeError, WriteError
from napari_mesmerize.history import json_safe

_TEMPORARY, _NEW = ".tmp", ".new"
_STAMP = re.compile(
    r"(?P<host>[0-9a-f]{6})-(?P<pid>[0-9a-f]+)-(?P<started>[0-9a-f]+)-[0-9a-f]{8}"
    r"(?P<kind>\.tmp|\.new)(\.[^.]*)?"
)
_LONGEST_NAME = 160  # bytes; of 255, which leaves room for the stamp
_LONGEST_SUFFIX = 16
_CLOCK_TOLERANCE_S = 30.0
_THREADS = 32
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
_NAMES = (errno.ENAMETOOLONG, errno.EINVAL)
_EXPLAINED = (*_FULL, *_REFUSED, *_NAMES)
_being_written: set[str] = set()  # hidden names, of this process
_CAN_NOT = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM)


@contextlib.contextmanager
def written_whole(
    path: Path, *, overwrite: bool, sync: bool = True, into_empty: bool = False
) -> Iterator[Path]:
    """Give a temporary name beside ``path``; what is there at the end gets its place.

    Parameters
    ----------
    path : pathlib.Path
        The file or folder to write.
    overwrite : bool
        Whether what is there may be replaced. A file never replaces a folder.
    sync : bool, optional
        Flush to disk before the rename. Without it the result survives a killed
        process, but not a power cut.
    into_empty : bool, optional
        Whether an empty folder at ``path`` counts as nothing.

    Raises
    ------
    WriteError
        If something is there already, or it can not be written; nothing stays half
        written, and what was there is as before.
    """
    settle(path)
    emptied = into_empty and _remove_empty(path)
    if os.path.lexists(path) and not overwrite:
        raise WriteError(f"{path} exists; choose another name or say overwrite=True.")
    if not path.parent.is_dir():
        raise WriteError(
            f"{path} was not written: the folder {path.parent} does not exist; make it "
            "first or choose another."
        )
    parts = _hidden(path, _TEMPORARY)
    try:
        yield parts
        if sync:
            sync_tree(parts)
        if overwrite:
            _replace(parts, path)
        else:
            _take_free_name(parts, path)
        if sync:
            sync_folder(path.parent)
    except MesmerizeError:
        raise
    except OSError as error:
        raise WriteError(
            f"{path} was not written: {explain(error)} What was there before is "
            "unchanged."
        ) from error
    finally:
        remove(parts)
        _being_written.discard(parts.name)
        if emptied and not os.path.lexists(path):
            path.mkdir()


def _remove_empty(path: Path) -> bool:
    """Return whether an empty folder was there; it is gone then."""
    try:
        path.rmdir()
    except OSError:  # not there, or not empty
        return False
    return True


@contextlib.contextmanager
def open_whole(path: Path, *, overwrite: bool, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a binary file for writing that takes its place when the block ends.

    Parameters and errors are those of :func:`written_whole`.
    """
    with (
        written_whole(path, overwrite=overwrite, sync=sync) as parts,
        open(parts, "xb") as file,
    ):
        yield file


def write_bytes(
    path: Path, content: bytes, *, overwrite: bool, sync: bool = True
) -> None:
    """Write a binary file, whole or not at all."""
    with open_whole(path, overwrite=overwrite, sync=sync) as file:
        file.write(content)


def write_text(path: Path, text: str, *, overwrite: bool, sync: bool = True) -> None:
    """Write a text file (UTF-8, lines end as in ``text``), whole or not at all."""
    write_bytes(path, text.encode("utf-8"), overwrite=overwrite, sync=sync)


def write_json(
    path: Path, content: Mapping[str, Any], *, overwrite: bool, sync: bool = True
) -> None:
    """Write a JSON file, whole or not at all; NaN becomes null."""
    text = json.dumps(json_safe(content), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", overwrite=overwrite, sync=sync)


def put_in_place(ready: Path, path: Path, *, overwrite: bool) -> None:
    """Rename a complete file or folder to its place; if that fails, it stays.

    This is for results of long work under a name of their own;
    :func:`written_whole` throws away what it could not put in place.

    Parameters
    ----------
    ready : pathlib.Path
        What was written, on the same disk.
    path : pathlib.Path
        Where it belongs.
    overwrite : bool
        Whether what is there may be replaced.

    Raises
    ------
    OSError
        If it can not be renamed; both are as before.
    WriteError
        If something is there, or came meanwhile, and must not be replaced.
    """
    if overwrite:
        _replace(ready, path, keep=True)
    else:
        _take_free_name(ready, path)
    remove(ready)  # what was there before
    sync_folder(path.parent)


def carry_over(source: Path, target: Path) -> None:
    """Give a file, or all files of a folder, a second name: nothing is copied.

    Where the file system has no hard links, or ``target`` lies on another, the files
    are copied. As the content is shared, neither name may be changed in place later:
    write another file and put it there, as :func:`written_whole` does.

    Parameters
    ----------
    source : pathlib.Path
        What is there.
    target : pathlib.Path
        The second name; nothing must be there. :func:`sync_tree` flushes it.
    """
    if source.is_dir() and not source.is_symlink():
        _carry_folder(os.fspath(source), os.fspath(target))
    else:
        _carry_file(os.fspath(source), os.fspath(target), link=source.is_symlink())


def _carry_folder(source: str, target: str) -> None:
    os.mkdir(target)
    with os.scandir(source) as entries:
        for entry in entries:
            second = os.path.join(target, entry.name)
            if entry.is_dir(follow_symlinks=False):
                _carry_folder(entry.path, second)
            else:
                _carry_file(entry.path, second, link=entry.is_symlink())


def _carry_file(source: str, target: str, *, link: bool) -> None:
    """Give a file a second name; copy a symbolic link, and what can not be shared."""
    if not link:
        try:
            os.link(source, target)
            return
        except FileExistsError:
            raise
        except OSError:  # another disk, no hard links here, or too many of this file
            pass
    shutil.copy2(source, target, follow_symlinks=False)


# ------------------------------------------------------------------ what is left over


def _hidden(path: Path, kind: str) -> Path:
    """Return a new hidden name beside ``path`` that says what it is to become.

    It has the suffix of ``path``, by which some libraries choose what to write. It
    counts as being written until it is taken out of ``_being_written``.
    """
    started = int(psutil.Process().create_time())
    stamp = f"{_host()}-{os.getpid():x}-{started:x}-{uuid.uuid4().hex[:8]}"
    suffix = path.suffix if len(path.suffix.encode()) <= _LONGEST_SUFFIX else ""
    hidden = path.with_name(f".{_label(path)}.{stamp}{kind}{suffix}")
    _being_written.add(hidden.name)
    return hidden


def _label(path: Path) -> str:
    """Return a name that begins hidden names: that of the target if it is short."""
    encoded = os.fsencode(path.name)
    if len(encoded) <= _LONGEST_NAME:
        return path.name
    return hashlib.sha256(encoded).hexdigest()[:16]


@functools.cache
def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def settle(path: Path) -> None:
    """Finish or clear away what killed writers of ``path`` left beside it.

    A complete folder whose way to ``path`` was cut off goes there. What is half
    written goes if its process on this computer is over; what another computer writes
    is left alone. Readers call it where ``path`` is missing.
    """
    for leftover, stamp in _leftovers(path):
        if stamp["kind"] == _NEW and not os.path.lexists(path):
            with contextlib.suppress(OSError):  # its writer went on, or read-only
                os.rename(leftover, path)
                sync_folder(path.parent)
        elif _is_over(leftover.name, stamp):
            remove(leftover)


def _is_over(name: str, stamp: re.Match[str]) -> bool:
    """Return whether nobody can be writing what has this hidden name."""
    if stamp["host"] != _host():
        return False
    pid = int(stamp["pid"], 16)
    if pid == os.getpid() and name not in _being_written:
        return True
    return not is_alive(pid, int(stamp["started"], 16))


def _leftovers(path: Path) -> list[tuple[Path, re.Match[str]]]:
    """Return hidden files and folders that were to become ``path``."""
    prefix, found = f".{_label(path)}.", []
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(prefix)]
    except OSError:  # no such folder, or it can not be listed
        return []
    for name in sorted(names):
        stamp = _STAMP.fullmatch(name[len(prefix) :])
        if stamp:
            found.append((path.with_name(name), stamp))
    return found


def is_alive(pid: int, started: float | None) -> bool:
    """Return whether a process of this computer may still run.

    Parameters
    ----------
    pid : int
        Its number.
    started : float or None
        When it began, seconds since 1970, if that is known; the system gives the
        number of a process that ended to another one.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        began = process.create_time()
        return started is None or abs(began - started) <= _CLOCK_TOLERANCE_S
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def remove(path: Path) -> None:
    """Remove a temporary file or folder; what resists stays, hidden."""
    if path.is_dir() and not path.is_symlink():
        for wait_s in (0.0, 0.01, 0.1):  # threads of zarr may still write in it
            time.sleep(wait_s)
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                return
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


# ------------------------------------------------------------------------------ renames


def _take_free_name(parts: Path, path: Path) -> None:
    """Rename to a name that nobody has.

    Raises
    ------
    WriteError
        If somebody took it meanwhile; theirs stays.
    """
    try:
        if _rename_at_once(parts, path, exchange=False):
            return
        if os.name != "nt" and not parts.is_dir():
            try:
                os.link(parts, path)  # ``parts`` is removed by who made it
                return
            except FileExistsError:
                raise
            except OSError:  # no hard links here
                pass
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        os.rename(parts, path)
    except FileExistsError as error:
        raise _appeared(path) from error
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.ENOTDIR):  # a folder onto another
            raise _appeared(path) from error
        raise


def _appeared(path: Path) -> WriteError:
    return WriteError(
        f"{path} appeared while it was written, and is kept as it is; choose another "
        "name or say overwrite=True."
    )


def _replace(parts: Path, path: Path, *, keep: bool = False) -> None:
    """Put ``parts`` in the place of what is there; that stays, if this fails.

    With ``keep`` the parts stay too.
    """
    if not parts.is_dir():
        if path.is_dir():  # Windows would speak of missing rights
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        os.replace(parts, path)
    elif not os.path.lexists(path):
        os.rename(parts, path)
    elif not _rename_at_once(parts, path, exchange=True):
        _replace_in_two_steps(parts, path, keep=keep)


def _replace_in_two_steps(parts: Path, path: Path, *, keep: bool) -> None:
    new, old = _hidden(path, _NEW), _hidden(path, _TEMPORARY)
    try:
        _rename_twice(parts, path, new, old, keep=keep)
    finally:
        _being_written.difference_update((new.name, old.name))


def _rename_twice(parts: Path, path: Path, new: Path, old: Path, *, keep: bool) -> None:
    os.rename(parts, new)
    try:
        sync_folder(path.parent)
        os.rename(path, old)
        try:
            os.rename(new, path)
        except OSError:
            if new.exists() or not path.exists():  # else a reader settled it
                os.rename(old, path)
                raise
    except OSError as error:
        if not os.path.lexists(path):
            raise WriteError(
                f"{path} was not put in its place: {explain(error)} It lies, complete, "
                f"in {new}, and gets its place when it is read or written next; or "
                "rename it by hand."
            ) from error
        if keep:
            os.rename(new, parts)
        else:
            remove(new)
        raise
    remove(old)


def _rename_at_once(source: Path, target: Path, *, exchange: bool) -> bool:
    """Exchange two names, or take one that is free; return whether it can be done.

    Raises
    ------
    OSError
        If it can be done here, and failed.
    """
    rename = _system_rename()
    if rename is None:
        return False
    if rename(os.fsencode(source), os.fsencode(target), exchange) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CAN_NOT:
        return False
    raise OSError(code, os.strerror(code), str(source), None, str(target))


@functools.cache
def _system_rename() -> Callable[[bytes, bytes, bool], int] | None:
    """Return the system's rename with flags; None where there is none (Windows)."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            renamex = library.renamex_np  # RENAME_SWAP, RENAME_EXCL
            return lambda a, b, swap: int(renamex(a, b, 2 if swap else 4))
        renameat2 = library.renameat2  # RENAME_EXCHANGE, RENAME_NOREPLACE
        return lambda a, b, swap: int(renameat2(-100, a, -100, b, 2 if swap else 1))
    except (OSError, TypeError, AttributeError):
        return None


# --------------------------------------------------------------------- flushing to disk


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name != "nt":
        _flush_folder(folder)


def _flush_folder(folder: Path | str) -> None:
    with contextlib.suppress(OSError):  # some network shares refuse it
        _flush(folder)


def sync_tree(path: Path) -> None:
    """Make a file, or all files and names below a folder, survive a power cut.

    Files that have several names were carried over, and lie on disk already.
    """
    folders: list[str] = []
    files: list[str] = [] if path.is_dir() else [os.fspath(path)]
    for parent, _, names in os.walk(path):
        folders.append(parent)
        files += [os.path.join(parent, name) for name in names]
    _in_threads(_flush, [file for file in files if os.stat(file).st_nlink < 2])
    if os.name != "nt":
        _in_threads(_flush_folder, folders)


def _flush(path: Path | str) -> None:
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _in_threads(function: Callable[[str], None], items: list[str]) -> None:
    """Call a function with each item, many at once: disks flush many as fast as one."""

    def work(some: list[str]) -> None:
        for item in some:
            function(item)

    n_threads = min(_THREADS, len(items) // 2)
    if n_threads < 2:
        work(items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for _ in pool.map(work, [items[i::n_threads] for i in range(n_threads)]):
            pass


# ------------------------------------------------------------------------------- errors


def explain(error: OSError) -> str:
    """Return why the system refused to write, and what to do about it."""
    if isinstance(error, MesmerizeError):
        cause = error.__cause__
        if not isinstance(cause, OSError) or cause.errno not in _EXPLAINED:
            return str(error)
        error = cause
    if error.errno in _FULL:
        return (
            f"the disk is full or a quota is reached ({error.strerror}). Free space "
            "there, or take a larger disk, and try again."
        )
    if error.errno in _REFUSED:
        locked = ", or another program has it open" if os.name == "nt" else ""
        return (
            f"the folder is read-only for you ({error.strerror}){locked}. Ask its "
            "owner for the right to write, choose another folder, or work on a copy of "
            "this one."
        )
    if error.errno in _NAMES:
        return (
            f"the file system refuses a name ({error}). Use shorter names, or a folder "
            "nearer to the top of the disk."
        )
    if error.errno == errno.EISDIR:
        return "a folder has that name. Choose another, or move the folder away."
    return f"{error}. See that the disk or share is there, and try again."

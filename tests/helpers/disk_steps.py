"""Watch each step that changes the disk in a folder: let it fail, or be the last."""

import contextlib
import errno
import functools
import os
import signal
import sys
from pathlib import Path

from napari_mesmerize import atomic

STEPS = {
    "open",
    "os.mkdir",
    "os.rename",
    "os.link",
    "os.symlink",
    "os.remove",
    "os.rmdir",
    "os.truncate",
}
REMOVALS = ("os.remove", "os.rmdir")  # they work on a full disk too


def changes_disk(event, args):
    """Return whether an audit event is a step after which the disk is another."""
    if event != "open":
        return event in STEPS
    _, mode, flags = args
    if isinstance(mode, str):
        return any(letter in mode for letter in "wxa")
    return bool(flags & os.O_CREAT)


_watching = []  # those that are on


def _tell(event, args):
    for watch in _watching:
        watch.see(event, args)


@functools.cache
def _listen():
    """Listen to what Python tells of, once: a hook can not be taken out again."""
    sys.addaudithook(_tell)


class Watch:
    """Calls a function before each step in a folder, until it is stopped.

    Steps are those that Python tells of, and two that it does not: ``os.fsync`` and the
    system's rename with flags (``rename at once``).
    """

    def __init__(self, folder, at_step):
        self._folder, self._at_step, self._on = str(folder), at_step, True
        self._fsync, self._rename = os.fsync, atomic._rename_at_once
        os.fsync, atomic._rename_at_once = self._watched_fsync, self._watched_rename
        _listen()
        _watching.append(self)

    def stop(self):
        if self._on:
            self._on = False
            _watching.remove(self)
            os.fsync, atomic._rename_at_once = self._fsync, self._rename

    def see(self, event, args):
        if not self._on or not changes_disk(event, args):
            return
        if any(self._folder in str(arg) for arg in args[:2]):
            self._at_step(event)

    def _watched_fsync(self, handle):
        self._at_step("os.fsync")
        return self._fsync(handle)

    def _watched_rename(self, source, target, *, exchange):
        self._at_step("rename at once")
        return self._rename(source, target, exchange=exchange)


@contextlib.contextmanager
def watching(folder):
    """Give the list of the steps that are taken while the block runs."""
    steps = []
    watch = Watch(folder, steps.append)
    try:
        yield steps
    finally:
        watch.stop()


@contextlib.contextmanager
def failing(folder, after, code=errno.EIO, *, once=False):
    """Let the step number ``after`` fail: once, or with all that follow it.

    Where all that follow fail, as on a full disk, what exists can still be removed.
    Gives the list of the steps that failed.
    """
    left, failed = [after], []

    def at_step(event):
        if not once and event in REMOVALS:
            return
        left[0] -= 1
        if left[0] == -1 or (left[0] < 0 and not once):
            failed.append(event)
            raise OSError(code, os.strerror(code))

    watch = Watch(folder, at_step)
    try:
        yield failed
    finally:
        watch.stop()


def kill_at(step, folder):
    """Let this process kill itself before it takes a step in ``folder``."""
    left = [step]

    def at_step(event):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Watch(folder, at_step)


def killed_at(step, folder, function):
    """Run a function in a child that is killed; return whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(60)
            kill_at(step, folder)
            function()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert status == 0
    return False


def contents(path):
    """Return what a file, or each file below a folder, holds; None if it is absent."""
    path = Path(path)
    if not path.is_dir():
        return path.read_bytes() if path.exists() else None
    return {
        str(file.relative_to(path)): file.read_bytes() if file.is_file() else None
        for file in sorted(path.rglob("*"))
    }


def hidden_in(folder):
    """Return the names of hidden files and folders in a folder."""
    return [p.name for p in Path(folder).iterdir() if p.name.startswith(".")]

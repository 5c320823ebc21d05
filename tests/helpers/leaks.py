"""A plugin of pytest that fails tests that leave something behind.

That is an open file or memory map, an open HDF5 file, a running thread, or a living
widget without a parent, which the test neither closed nor handed to ``qtbot``.
"""

import contextlib
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

_PASSED = pytest.StashKey[bool]()
_DESCRIPTORS = "/proc/self/fd"  # on other systems open files are not looked for
_PATIENCE_S = 2.0  # a thread that has done its work may take a moment to end
_ROUNDS = 3  # of deleting: what goes lets go of others
_SEEN = "_leaks_seen"  # property of a widget that was there before

# threads that are started once and last as long as the process, by the start of a name
_LASTING_THREADS = (
    "warm-up",  # ours: imports modules while the user looks for a file
    "zarr_io",  # zarr's event loop, and
    "asyncio_",  # the pool of that loop, in which zarr reads chunks
    "Dask-Offload",  # distributed's pool for what would block its event loop
)
# files that are opened once and last as long, by the end of a path
_LASTING_FILES = (
    *(".ttf", ".otf", ".ttc", ".pfb"),  # fonts, which matplotlib keeps
    "icon-theme.cache",  # Qt's
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remember whether the test itself passed."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def nothing_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves something behind.

    Tests that failed are let go: their traceback holds on to all that they used.
    """
    before = Before()
    yield
    if not request.node.stash.get(_PASSED, False):
        return
    request.node.funcargs.clear()  # pytest holds what fixtures returned until later
    left = before.new()
    gc.collect()  # before all that is left is frozen
    if left:
        pytest.fail("The test leaves behind:\n" + "\n".join(left), pytrace=False)


def open_files() -> dict[int, str]:
    """Return the paths of open files by descriptor; memory maps hold one, too."""
    found: dict[int, str] = {}
    if not os.path.isdir(_DESCRIPTORS):
        return found
    for name in os.listdir(_DESCRIPTORS):
        with contextlib.suppress(FileNotFoundError):
            path = os.readlink(f"{_DESCRIPTORS}/{name}")
            if path.startswith("/") and not path.startswith(("/dev/", "/proc/")):
                found[int(name)] = path
    return found


def open_hdf5() -> dict[int, str]:
    """Return the names of open HDF5 files by identifier, also of those in memory."""
    h5py = sys.modules.get("h5py")
    if h5py is None or not h5py.h5f.get_obj_count(types=h5py.h5f.OBJ_FILE):
        return {}
    files = h5py.h5f.get_obj_ids(types=h5py.h5f.OBJ_FILE)
    return {each.id: h5py.h5f.get_name(each).decode() for each in files if each.valid}


def living_threads() -> set[threading.Thread]:
    """Return the threads that run; not those of Qt, which Python only met."""
    dask = sys.modules.get("dask.threaded")
    pool = getattr(dask, "default_pool", None)  # kept by dask for all computations
    return {
        thread
        for thread in threading.enumerate()
        if not isinstance(thread, threading._DummyThread)
        and not thread.name.startswith(_LASTING_THREADS)
        # begun on demand by the workers of a cluster, whose own threads are looked at
        and "-Dask-Default-Threads-" not in thread.name
        and thread not in getattr(pool, "_threads", ())
    }


def widgets_without_parent() -> list[Any]:
    """Return the windows and other widgets without a parent that are alive."""
    qt = sys.modules.get("qtpy.QtWidgets")
    if qt is None or qt.QApplication.instance() is None:
        return []
    return [w for w in qt.QApplication.topLevelWidgets() if w.parent() is None]


class Before:
    """What was open before a test; :meth:`new` names what is open since."""

    def __init__(self) -> None:
        self._files = open_files()
        self._hdf5 = open_hdf5()
        self._threads = living_threads()
        for widget in widgets_without_parent():
            widget.setProperty(_SEEN, True)
        # What was there is searched no more, neither here nor by Python itself: in the
        # whole suite that takes a second each time.
        gc.freeze()

    def new(self) -> list[str]:
        """Return one line for each thing that is still open or alive."""
        looks = (self._new_threads, self._new_files, self._new_hdf5, self._new_widgets)
        for round_ in range(_ROUNDS):
            if not any(look() for look in looks):
                return []
            _delete_later()
            if round_ == _ROUNDS - 1:
                gc.unfreeze()  # circles that lead through older objects
            gc.collect()  # what only a circle of references holds is not lost
        return [line for look in looks for line in look()]

    def _new_files(self) -> list[str]:
        return [
            f"open file {path} (descriptor {number})"
            for number, path in open_files().items()
            if self._files.get(number) != path and not path.endswith(_LASTING_FILES)
        ]

    def _new_hdf5(self) -> list[str]:
        now = open_hdf5()
        return [f"open HDF5 file {now[n]}" for n in now.keys() - self._hdf5.keys()]

    def _new_threads(self) -> list[str]:
        threads = living_threads() - self._threads
        deadline = time.monotonic() + _PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [
            f"running thread {thread.name!r} ({_work_of(thread)})"
            for thread in threads
            if thread.is_alive()
        ]

    def _new_widgets(self) -> list[str]:
        return [
            f"living widget {type(widget).__module__}.{type(widget).__qualname__} "
            f"{_name_of(widget)!r}"
            for widget in widgets_without_parent()
            if not widget.property(_SEEN)
        ]


def _name_of(widget: Any) -> str:
    """Return the name of a widget, or else its title."""
    is_menu = isinstance(widget, sys.modules["qtpy.QtWidgets"].QMenu)
    title = widget.title() if is_menu else widget.windowTitle()
    return str(widget.objectName() or title)


def _work_of(thread: threading.Thread) -> str:
    """Return what a thread was started to do."""
    work = getattr(thread, "_target", None)
    return getattr(work, "__qualname__", None) or type(thread).__qualname__


def _delete_later() -> None:
    """Let Qt delete what was promised to be, and let go of the slots of the deleted."""
    core = sys.modules.get("qtpy.QtCore")
    if core is not None and core.QCoreApplication.instance() is not None:
        for kind in (0, core.QEvent.Type.DeferredDelete.value, 0):  # 0: all that wait
            core.QCoreApplication.sendPostedEvents(None, kind)

"""Import what computations need while the user still looks for a file.

The first computation of a process otherwise stops the window for up to a second: while
a large library is loaded, no other thread of Python runs.
"""

import atexit
import functools
import importlib
import logging
import threading
import time

_log = logging.getLogger(__name__)
_ending = threading.Event()
_WAIT_S = 1.5  # until the window is drawn
_LAST_S = 10.0  # that the end of the program waits for an import
MODULES = (
    "scipy.ndimage",
    "scipy.signal",
    "napari_mesmerize.transforms.projections",
    "napari_mesmerize.motion.correct",
    "napari_mesmerize.cnmf.extract",
    "napari_mesmerize.project",
)


@functools.cache
def start_warm_up() -> threading.Thread:
    """Import the modules in a thread; once a process."""
    thread = threading.Thread(target=_import_all, daemon=True, name="warm-up")
    thread.start()
    atexit.register(_end, thread)
    return thread


def _end(thread: threading.Thread) -> None:
    """Let the import under way end: a library must not be torn out of its loading."""
    _ending.set()
    thread.join(_LAST_S)


def _import_all() -> None:
    from napari_mesmerize.widgets.layers.recordings import prepare_labels

    _ending.wait(_WAIT_S)
    for name in MODULES:
        if _ending.is_set():
            return
        try:
            importlib.import_module(name)
        except ImportError:
            _log.debug("%s is not there yet", name, exc_info=True)
        time.sleep(0.05)  # the window comes first
    if not _ending.is_set():
        prepare_labels()

"""Run what napari waits for, such as File > Save, without freezing its window."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from qtpy.QtCore import QEventLoop, Qt
from qtpy.QtWidgets import QApplication, QMainWindow, QProgressDialog

from napari_mesmerize.errors import Cancelled
from napari_mesmerize.progress import silent
from napari_mesmerize.widgets.jobs.job import Job
from napari_mesmerize.widgets.napari_api import shown_window

T = TypeVar("T")
_SHOWN_AFTER_MS = 400


def run_behind_a_dialog(
    title: str, function: Callable[..., T], *args: Any, **kwargs: Any
) -> T:
    """Return ``function(*args, progress=..., **kwargs)``.

    Where napari has a window, the function runs in a thread while a dialog shows how
    far it is and offers to cancel; from a script, it just runs.

    Raises
    ------
    Cancelled
        If that was asked for.
    """
    window = _window()
    if window is None:
        return function(*args, progress=silent, **kwargs)
    results: list[T] = []
    errors: list[Exception] = []
    job = Job(function, *args, **kwargs)
    job.returned.connect(results.append)
    job.failed.connect(errors.append)
    _wait(job, title, window)
    del window  # an error's traceback must not keep it
    if errors:
        raise errors.pop()
    if not results:
        raise Cancelled(f"{title}: cancelled, nothing was written.")
    return results[0]


def _wait(job: Job, title: str, window: QMainWindow) -> None:
    """Start a job and show how far it is until it has ended."""
    loop = QEventLoop()
    dialog = QProgressDialog(title, "Cancel", 0, 0, window)
    dialog.setWindowModality(Qt.WindowModality.WindowModal)
    dialog.setMinimumDuration(_SHOWN_AFTER_MS)
    dialog.setAutoReset(False)

    def on_reported(text: str, done: int, total: int) -> None:
        dialog.setMaximum(total)
        dialog.setValue(done)

    job.reported.connect(on_reported)
    job.finished.connect(loop.quit)
    dialog.canceled.connect(job.cancel)
    job.start()
    loop.exec()
    dialog.canceled.disconnect()
    dialog.close()
    dialog.deleteLater()


def _window() -> QMainWindow | None:
    """Return napari's window, if there is one and this is the GUI thread."""
    import napari

    if QApplication.instance() is None:
        return None
    if threading.current_thread() is not threading.main_thread():
        return None
    return shown_window(napari.current_viewer())

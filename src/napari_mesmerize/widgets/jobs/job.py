"""Long work off the GUI thread: progress, cancel, and errors that people can read."""

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from napari.components import ViewerModel
from napari.utils import cancelable_progress
from napari.utils.notifications import (
    ErrorNotification,
    notification_manager,
    show_error,
)
from qtpy.QtCore import QCoreApplication, QObject, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_mesmerize.errors import Cancelled, MesmerizeError, explain
from napari_mesmerize.progress import reporting
from napari_mesmerize.widgets.jobs.closed_panel import Lasting, let_all_go
from napari_mesmerize.widgets.napari_api import CloseNotice, main_window, shown_window

T = TypeVar("T")
_Call: TypeAlias = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]
_log = logging.getLogger(__name__)
_REPORT_EVERY_S = 0.05
_LAST_S = 3.0  # that the end of the program waits for a job
_running: "weakref.WeakSet[Job]" = weakref.WeakSet()


class Job(QObject):
    """A function running in a thread.

    The function gets a keyword ``progress``. Signals arrive on the GUI thread; after
    :meth:`cancel` or when the program ends, the function stops at its next step.

    Parameters
    ----------
    function : callable
        What to run.
    *args, **kwargs
        Its arguments.
    """

    reported = Signal(str, int, int)
    returned = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    finished = Signal()

    def __init__(
        self, function: Callable[..., object], *args: Any, **kwargs: Any
    ) -> None:
        super().__init__()
        self._call: _Call = (function, args, kwargs)
        self._stop = threading.Event()
        self._last: tuple[float, str] = (0.0, "")
        # a daemon thread: a computation never keeps the program from ending
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        _running.add(self)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._stop.set)
        self._thread.start()

    def cancel(self) -> None:
        """Ask the function to stop at its next step."""
        self._stop.set()

    def is_running(self) -> bool:
        """Say whether the function has not returned yet."""
        return self._thread.is_alive()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the thread has ended; for tests and scripts."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _report(self, text: str, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Cancelled("Cancelled.")
        now = time.monotonic()
        before, last_text = self._last
        if text != last_text or done == total or now - before > _REPORT_EVERY_S:
            self._last = (now, text)
            self.reported.emit(text, done, total)

    def _work(self) -> None:
        function, args, kwargs = self._call
        self._call = (function, (), {})  # a finished job keeps no movie alive
        try:
            self._emit_outcome(function, *args, **kwargs)
        except RuntimeError:
            # Qt has deleted this object: the window is gone, nobody listens
            _log.debug("job outlived its window", exc_info=True)
        finally:
            _running.discard(self)

    def _emit_outcome(
        self, function: Callable[..., object], *args: Any, **kwargs: Any
    ) -> None:
        try:
            result = function(*args, progress=reporting(self._report), **kwargs)
        except Cancelled:
            self.cancelled.emit()
        except Exception as error:  # noqa: BLE001  top level of a GUI computation
            if isinstance(error, MesmerizeError):
                _log.debug("%s", error, exc_info=True)
            else:
                _log.exception("unexpected error in a computation")
            self.failed.emit(error)
        else:
            if self._stop.is_set():
                self.cancelled.emit()
            else:
                self.returned.emit(result)
        self.finished.emit()


def cancel_all_jobs() -> None:
    """Ask every running job to stop."""
    for job in list(_running):
        job.cancel()


@atexit.register
def _end_all_jobs() -> None:
    """Give jobs a moment to stop; what does not in time ends with the program."""
    jobs = list(_running)
    cancel_all_jobs()
    for job in jobs:
        job.wait(_LAST_S)
    let_all_go()


class _Activity(cancelable_progress):
    """A bar of napari's activity dock whose Cancel button acts at once."""

    def cancel(self) -> None:
        super().cancel()
        if self.cancel_callback is not None:
            self.cancel_callback()


class JobBar(QWidget):
    """Runs one job at a time: what it does, how far it is, and a Cancel button.

    Parameters
    ----------
    viewer : napari viewer
        Its activity dock shows the progress too, where there is a window.
    """

    running_changed = Signal(bool)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(viewer)
        self.job: Job | None = None
        self._title = ""
        self._on_result: Callable[[Any], object] | None = None
        self._activity: _Activity | None = None
        self._notice = CloseNotice(viewer)
        self._lasting: Lasting | None = None
        self._started = 0.0
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop at the next step; nothing is changed")
        self.cancel_button.clicked.connect(self.cancel)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar)
        row.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self._show_running(False)
        self.say("")

    @property
    def running(self) -> bool:
        """Whether a job is under way."""
        return self.job is not None

    def say(self, text: str, *, error: bool = False) -> None:
        """Show a line that stays until the next one."""
        self.text.setText(text)
        self.text.setStyleSheet("color: #ff8a80;" if error else "")
        self.text.setVisible(bool(text))

    def start(
        self,
        title: str,
        function: Callable[..., T],
        *args: Any,
        on_result: Callable[[T], object] | None = None,
        lasting: bool = True,
        **kwargs: Any,
    ) -> Job | None:
        """Run ``function(*args, progress=..., **kwargs)`` off the GUI thread.

        ``on_result`` is called on the GUI thread with what it returned. If the dock is
        closed meanwhile, the run goes on unless the user says no; with ``lasting``
        false it ends. Returns ``None`` while another job of this bar is running.
        """
        if self.running:
            self.say(f"{self._title} is still running; cancel it or wait.", error=True)
            return None
        job = Job(function, *args, **kwargs)
        self.job = job
        self._title = title
        self._started = time.monotonic()
        self._on_result = on_result
        job.reported.connect(self._on_reported)
        job.returned.connect(self._on_returned)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        job.finished.connect(self._on_finished)
        self.destroyed.connect(job.cancel)
        self._lasting = Lasting(
            self, title, cancel=self.cancel, window=self.window_shown, lasting=lasting
        )
        self.say(f"{title} …")
        self.bar.setRange(0, 0)
        self._show_running(True)
        self._open_activity(job, title)
        job.start()
        return job

    def cancel(self) -> None:
        """Ask the running job to stop."""
        if self.job is not None:
            self.job.cancel()
            self.cancel_button.setEnabled(False)
            self.say(f"{self._title}: stopping …")

    def _on_reported(self, text: str, done: int, total: int) -> None:
        if self.job is None or self.sender() is not self.job:
            return
        step = text or self._title
        if total > 0:
            self.bar.setRange(0, total)
            self.bar.setValue(done)
            self.say(f"{step}: {100 * done // total} %")
        else:
            self.bar.setRange(0, 0)
            self.say(f"{step} …")
        activity = self._activity
        if activity is not None:
            percent = 100 * done // total if total else 0
            activity.set_description(step)  # napari handles events here: the job may
            if self._activity is activity:  # have ended meanwhile
                activity.update(percent - activity.n)

    def _on_returned(self, result: Any) -> None:
        if self.sender() is not self.job:
            return
        seconds = time.monotonic() - self._started
        self.say(f"{self._title}: done in {seconds:.1f} s")
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception as error:  # noqa: BLE001  top level of the GUI
                _log.exception("the result of '%s' can not be shown", self._title)
                self.show_error(error)

    def _on_failed(self, error: Exception) -> None:
        if self.sender() is self.job:
            self.show_error(error)

    def show_error(self, error: Exception) -> None:
        """Show an error here and as a notification."""
        if isinstance(error, MesmerizeError | MemoryError):
            self.say(explain(error), error=True)
            show_error(explain(error))
            return
        kind = type(error).__name__
        self.say(
            f"{self._title or 'This'} failed unexpectedly ({kind}: {error}). 'View "
            "Traceback' in the notification shows the details to report.",
            error=True,
        )
        notification_manager.dispatch(ErrorNotification(error))

    def _on_cancelled(self) -> None:
        if self.sender() is self.job:
            self.say(f"{self._title}: cancelled, nothing was changed")

    def _on_finished(self) -> None:
        if self.sender() is not self.job:
            return
        self.job = None
        self._on_result = None
        self._close_activity()
        ended, self._lasting = self._lasting, None
        outcome = self.text.text()
        self._show_running(False)
        if ended is not None:
            self._end_lasting(ended, outcome)

    def _end_lasting(self, ended: Lasting, outcome: str) -> None:
        if self._lasting is not None:  # another job has begun
            self._lasting.closed = ended.closed
        ended.end(outcome)

    def window_shown(self) -> QMainWindow | None:
        """Return the viewer's window if it can be seen."""
        return shown_window(self._viewer())

    def _show_running(self, running: bool) -> None:
        self.bar.setVisible(running)
        self.cancel_button.setVisible(running)
        self.cancel_button.setEnabled(running)
        self.running_changed.emit(running)

    def _open_activity(self, job: Job, title: str) -> None:
        """Show the job in napari's activity dock, and stop it when napari closes."""
        if main_window(self._viewer()) is None:
            return
        self._activity = _Activity(total=100, desc=title, cancel_callback=self.cancel)
        self._notice.say(title, job.cancel)

    def _close_activity(self) -> None:
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        self._notice.withdraw()
